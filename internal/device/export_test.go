package device

// What the tests from outside share with those from inside.
var (
	Must        = must
	FixedRandom = fixedRandom
)
