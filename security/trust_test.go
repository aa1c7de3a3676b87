package security

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zsync/zsync"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func expect[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func recordOf(t *testing.T, trust *Trust, key zsync.Key) Record {
	t.Helper()
	r, found := trust.ByKey(key)
	if !found {
		t.Fatalf("no record of %s", key)
	}
	return r
}

func TestNobodyIsTrustedAtFirst(t *testing.T) {
	trust := NewTrust()
	expect(t, trust.Admit(certOf(t, "box").Curve), DecisionUnknown)
	expect(t, len(trust.Trusted())+len(trust.Revoked())+len(trust.Records()), 0)
}

func TestTypedKeyIsPendingThenPairedThenInTheCircle(t *testing.T) {
	trust, box := NewTrust(), certOf(t, "box")
	ok(t, trust.Pend(epoch, box.Curve, "192.168.1.7:7001"))
	expect(t, trust.Admit(box.Curve), DecisionPending)
	expect(t, recordOf(t, trust, box.Curve).State, Pending)

	ok(t, trust.Pin(epoch.Add(time.Hour), box))
	expect(t, trust.Admit(box.Curve), DecisionTrusted)
	r := recordOf(t, trust, box.Curve)
	expect(t, r.State, Paired)
	expect(t, r.Device, box.Device())
	expect(t, r.Name, "box")
	expect(t, r.Since, epoch.Add(time.Hour))

	ok(t, trust.Enrol(epoch.Add(2*time.Hour), box))
	expect(t, recordOf(t, trust, box.Curve).State, InCircle)
	ok(t, trust.Pin(epoch.Add(3*time.Hour), box))
	expect(t, recordOf(t, trust, box.Curve).State, InCircle)
	expect(t, recordOf(t, trust, box.Curve).Since, epoch.Add(2*time.Hour))
}

func TestDeviceOfTheCircleIsTrustedWithoutBeingTyped(t *testing.T) {
	trust, box := NewTrust(), certOf(t, "box")
	ok(t, trust.Enrol(epoch, box))
	expect(t, trust.Admit(box.Curve), DecisionTrusted)
}

func TestCertificateOfAnUntypedKeyIsNotPinned(t *testing.T) {
	trust := NewTrust()
	refused(t, trust.Pin(epoch, certOf(t, "box")), ErrUnknownKey)
	expect(t, len(trust.Records()), 0)
}

func TestPendingKeyIsDroppedAfterADay(t *testing.T) {
	trust, box := NewTrust(), certOf(t, "box")
	expect(t, trust.Deadline(), time.Time{})
	ok(t, trust.Pend(epoch, box.Curve, ""))
	expect(t, trust.Deadline(), epoch.Add(PendingFor))
	expect(t, trust.Expire(epoch.Add(PendingFor-1)), false)
	expect(t, trust.Expire(epoch.Add(PendingFor)), true)
	expect(t, trust.Admit(box.Curve), DecisionUnknown)
	expect(t, trust.Deadline(), time.Time{})
}

func TestTypingAKeyAgainRenewsItsDay(t *testing.T) {
	trust, box := NewTrust(), certOf(t, "box")
	ok(t, trust.Pend(epoch, box.Curve, ""))
	ok(t, trust.Pend(epoch.Add(time.Hour), box.Curve, ""))
	expect(t, trust.Expire(epoch.Add(PendingFor)), false)
	expect(t, trust.Admit(box.Curve), DecisionPending)
}

func TestPairedKeyStaysForGood(t *testing.T) {
	trust, box := NewTrust(), certOf(t, "box")
	ok(t, trust.Pend(epoch, box.Curve, ""))
	ok(t, trust.Pin(epoch, box))
	ok(t, trust.Pend(epoch.Add(time.Hour), box.Curve, "box:7001"))
	expect(t, recordOf(t, trust, box.Curve).State, Paired)
	expect(t, trust.Expire(epoch.Add(1000*time.Hour)), false)
}

func TestKeyIsPinnedToOneDevice(t *testing.T) {
	trust, box := NewTrust(), keysOf(t, "box")
	ok(t, trust.Pend(epoch, box.Key(), ""))
	ok(t, trust.Pin(epoch, box.Certify("box", 1)))
	thief := keysOf(t, "thief")
	thief.curve = box.curve
	refused(t, trust.Pin(epoch, thief.Certify("box", 9)), ErrOtherDevice)
	refused(t, trust.Enrol(epoch, thief.Certify("box", 9)), ErrOtherDevice)
	expect(t, recordOf(t, trust, box.Key()).Device, box.Device())
}

func TestACertificateInTheCircleDoesNotTakeAKeyThatSomebodyTyped(t *testing.T) {
	box, thief := keysOf(t, "box"), keysOf(t, "thief")
	thief.curve = box.curve
	claim, own := thief.Certify("thief", 9), box.Certify("box", 1)
	typed, named := NewTrust(), NewTrust()
	ok(t, typed.Pend(epoch, box.Key(), ""))
	ok(t, typed.Enrol(epoch, claim)) // after it was typed
	expect(t, typed.Admit(box.Key()), DecisionPending)
	ok(t, named.Enrol(epoch, claim)) // or before
	ok(t, named.Pend(epoch, box.Key(), "box:7001"))
	for _, trust := range []*Trust{typed, named} {
		ok(t, trust.Pin(epoch, own))
		r := recordOf(t, trust, box.Key())
		expect(t, r.Device, box.Device())
		expect(t, r.State, Paired)
		refused(t, trust.Enrol(epoch, claim), ErrOtherDevice)
		refused(t, trust.Pin(epoch, claim), ErrOtherDevice)
		ok(t, trust.Enrol(epoch, own))
		expect(t, recordOf(t, trust, box.Key()).State, InCircle)
		expect(t, len(trust.Records()), 1)
	}
}

func TestANamedKeyIsStillOpenToItsOwnerAfterTheListWasReadBack(t *testing.T) {
	box, thief := keysOf(t, "box"), keysOf(t, "thief")
	thief.curve = box.curve
	trust := NewTrust()
	ok(t, trust.Enrol(epoch, thief.Certify("thief", 9)))
	read, err := ParseTrust(trust.Text())
	ok(t, err)
	ok(t, read.Pin(epoch, box.Certify("box", 1)))
	if read, err = ParseTrust(read.Text()); err != nil {
		t.Fatal(err)
	}
	refused(t, read.Pin(epoch, thief.Certify("thief", 10)), ErrOtherDevice)
}

func TestAKnownDeviceDoesNotBringBackARevokedKey(t *testing.T) {
	trust, box := NewTrust(), keysOf(t, "box")
	ok(t, trust.Enrol(epoch, box.Certify("box", 1)))
	lost := certOf(t, "lost").Curve
	ok(t, trust.Revoke(epoch, lost))
	box.curve = lost
	refused(t, trust.Enrol(epoch, box.Certify("box", 2)), ErrRevoked)
	expect(t, trust.Admit(lost), DecisionRevoked)
}

func TestInventedMembersLeaveRoomForPairing(t *testing.T) {
	trust, members := NewTrust(), 0
	var last Certificate
	for i := range recordsMax {
		last = certOf(t, fmt.Sprint("invented ", i))
		if err := trust.Enrol(epoch, last); err == nil {
			members++
		} else {
			refused(t, err, ErrTooManyNamed)
		}
	}
	expect(t, members, namedMax)
	box := certOf(t, "box")
	ok(t, trust.Pend(epoch, box.Curve, ""))
	ok(t, trust.Pin(epoch, box))
	ok(t, trust.Enrol(epoch, box))
	ok(t, trust.Pend(epoch, last.Curve, "")) // one that found no room is paired with by its key
	ok(t, trust.Pin(epoch, last))
	ok(t, trust.Enrol(epoch, last))
}

func TestNewerCertificateReplacesAnOlderOneButNotTheOtherWayRound(t *testing.T) {
	trust, box := NewTrust(), keysOf(t, "box")
	ok(t, trust.Enrol(epoch, box.Certify("box", 1)))
	ok(t, trust.Enrol(epoch, box.Certify("cloud", 2)))
	expect(t, recordOf(t, trust, box.Key()).Name, "cloud")
	refused(t, trust.Enrol(epoch, box.Certify("box", 1)), ErrStale)
	expect(t, recordOf(t, trust, box.Key()).Name, "cloud")
}

func TestNewKeyOfADeviceReplacesItsOldOne(t *testing.T) {
	trust, before, after := NewTrust(), keysOf(t, "box"), keysOf(t, "box")
	after.curve = keysOf(t, "fresh").curve
	ok(t, trust.Enrol(epoch, before.Certify("box", 1)))
	ok(t, trust.Addressed(before.Key(), "box:7001"))
	ok(t, trust.Pend(epoch, after.Key(), "box:7002"))
	ok(t, trust.Pin(epoch, after.Certify("box", 2)))
	expect(t, trust.Admit(before.Key()), DecisionUnknown)
	r := recordOf(t, trust, after.Key())
	expect(t, r.State, InCircle)
	if diff := cmp.Diff([]string{"box:7002", "box:7001"}, r.Addresses); diff != "" {
		t.Fatal(diff)
	}
	refused(t, trust.Enrol(epoch, before.Certify("box", 1)), ErrStale)
	expect(t, len(trust.Records()), 1)
}

func TestRevokedKeyNeverComesBack(t *testing.T) {
	trust, box := NewTrust(), certOf(t, "box")
	ok(t, trust.Enrol(epoch, box))
	ok(t, trust.Revoke(epoch, box.Curve))
	expect(t, trust.Admit(box.Curve), DecisionRevoked)
	refused(t, trust.Pend(epoch, box.Curve, ""), ErrRevoked)
	refused(t, trust.Pin(epoch, box), ErrRevoked)
	refused(t, trust.Enrol(epoch, box), ErrRevoked)
	stranger := certOf(t, "stranger").Curve
	ok(t, trust.Revoke(epoch, stranger))
	expect(t, trust.Admit(stranger), DecisionRevoked)
	expect(t, len(trust.Trusted()), 0)
	expect(t, len(trust.Revoked()), 2)
	expect(t, trust.Expire(epoch.Add(1000*time.Hour)), false)
}

func TestRevokedDeviceDoesNotComeBackWithANewKey(t *testing.T) {
	trust, before, after := NewTrust(), keysOf(t, "box"), keysOf(t, "box")
	after.curve = keysOf(t, "fresh").curve
	ok(t, trust.Enrol(epoch, before.Certify("box", 1)))
	ok(t, trust.Revoke(epoch, before.Key()))
	ok(t, trust.Pend(epoch, after.Key(), ""))
	refused(t, trust.Pin(epoch, after.Certify("box", 2)), ErrRevoked)
}

func TestLastAddressesComeFirstAndFewAreKept(t *testing.T) {
	trust, box := NewTrust(), certOf(t, "box")
	ok(t, trust.Pend(epoch, box.Curve, "a:1"))
	for _, address := range []string{"b:1", "a:1", "c:1", "b:1"} {
		ok(t, trust.Addressed(box.Curve, address))
	}
	if diff := cmp.Diff([]string{"b:1", "c:1", "a:1"}, recordOf(t, trust, box.Curve).Addresses); diff != "" {
		t.Fatal(diff)
	}
	for i := range 2 * addressesMax {
		ok(t, trust.Addressed(box.Curve, fmt.Sprintf("x:%d", i)))
	}
	expect(t, len(recordOf(t, trust, box.Curve).Addresses), addressesMax)
}

func TestAddressThatNoLineCanHoldIsRefused(t *testing.T) {
	trust, box := NewTrust(), certOf(t, "box")
	for _, address := range []string{"a b", "a,b", "-", "a\nb", "ä:1", strings.Repeat("a", 256)} {
		refused(t, trust.Pend(epoch, box.Curve, address), ErrAddress)
	}
	expect(t, len(trust.Records()), 0)
	ok(t, trust.Pend(epoch, box.Curve, ""))
	refused(t, trust.Addressed(box.Curve, ""), ErrAddress)
	refused(t, trust.Addressed(certOf(t, "stranger").Curve, "a:1"), ErrUnknownKey)
}

func TestTrustIsBounded(t *testing.T) {
	trust := NewTrust()
	for i := range recordsMax {
		ok(t, trust.Pend(epoch, zsync.Key{1, byte(i >> 8), byte(i)}, ""))
	}
	refused(t, trust.Pend(epoch, zsync.Key{2}, ""), ErrTrustFull)
	refused(t, trust.Enrol(epoch, certOf(t, "box")), ErrTrustFull)
	refused(t, trust.Revoke(epoch, zsync.Key{2}), ErrTrustFull)
	ok(t, trust.Pend(epoch, zsync.Key{1}, "a:1"))
	if data := trust.Text(); len(data) > trustBytesMax {
		t.Fatalf("%d octets", len(data))
	}
	if _, err := ParseTrust(trust.Text()); err != nil {
		t.Fatal(err)
	}
}

func TestRevisionMovesOnWithEachChangeAndOnlyThen(t *testing.T) {
	trust, box := NewTrust(), certOf(t, "box")
	steps := []struct {
		what    string
		act     func()
		changes bool
	}{
		{"pend", func() { ok(t, trust.Pend(epoch, box.Curve, "a:1")) }, true},
		{"address again", func() { ok(t, trust.Addressed(box.Curve, "a:1")) }, false},
		{"address", func() { ok(t, trust.Addressed(box.Curve, "b:1")) }, true},
		{"expire nothing", func() { trust.Expire(epoch) }, false},
		{"pin", func() { ok(t, trust.Pin(epoch, box)) }, true},
		{"pin again", func() { ok(t, trust.Pin(epoch.Add(time.Hour), box)) }, false},
		{"enrol", func() { ok(t, trust.Enrol(epoch, box)) }, true},
		{"enrol again", func() { ok(t, trust.Enrol(epoch.Add(time.Hour), box)) }, false},
		{"read", func() { trust.Records(); trust.Text(); trust.Admit(box.Curve) }, false},
		{"revoke", func() { ok(t, trust.Revoke(epoch, box.Curve)) }, true},
		{"revoke again", func() { ok(t, trust.Revoke(epoch, box.Curve)) }, false},
	}
	for _, step := range steps {
		before := trust.Revision()
		step.act()
		if changed := trust.Revision() != before; changed != step.changes {
			t.Errorf("%s: changed %v", step.what, changed)
		}
	}
}

func TestRecordsAreCopies(t *testing.T) {
	trust, box := NewTrust(), certOf(t, "box")
	ok(t, trust.Pend(epoch, box.Curve, "a:1"))
	trust.Records()[0].Addresses[0] = "changed"
	recordOf(t, trust, box.Curve).Addresses[0] = "changed"
	expect(t, recordOf(t, trust, box.Curve).Addresses[0], "a:1")
}

// assorted returns a list with a key in each state.
func assorted(t fataler) *Trust {
	trust := NewTrust()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	box, phone, lost := certOf(t, "box"), keysOf(t, "phone").Certify("Omas \"Gerät\"", 3), certOf(t, "lost")
	must(trust.Pend(epoch, certOf(t, "typed").Curve, "tcp://192.168.1.7:7001"))
	must(trust.Pend(epoch, box.Curve, "box.example:7001"))
	must(trust.Pin(epoch.Add(time.Minute), box))
	must(trust.Addressed(box.Curve, "[fe80::1%25eth0]:7001"))
	must(trust.Enrol(epoch.Add(time.Hour), phone))
	must(trust.Enrol(epoch, lost))
	must(trust.Revoke(epoch.Add(2*time.Hour), lost.Curve))
	must(trust.Revoke(epoch, certOf(t, "stranger").Curve))
	return trust
}

func TestTrustedKeysAreReadBackFromTheirText(t *testing.T) {
	trust := assorted(t)
	text := trust.Text()
	path := filepath.Join("testdata", "trusted")
	if *update {
		ok(t, os.WriteFile(path, text, 0o644))
	}
	want, err := os.ReadFile(path)
	ok(t, err)
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Fatal(diff)
	}
	read, err := ParseTrust(text)
	ok(t, err)
	if diff := cmp.Diff(trust.Records(), read.Records()); diff != "" {
		t.Fatal(diff)
	}
}

func TestTrustSurvivesInItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trusted")
	empty, err := LoadTrust(path)
	ok(t, err)
	expect(t, len(empty.Records()), 0)
	ok(t, assorted(t).Save(path))
	read, err := LoadTrust(path)
	ok(t, err)
	if diff := cmp.Diff(assorted(t).Records(), read.Records()); diff != "" {
		t.Fatal(diff)
	}
	ok(t, os.Chmod(path, 0o622))
	_, err = LoadTrust(path)
	refused(t, err, ErrExposed)
}

func TestSpoiledTextNamesItsLine(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(string(assorted(t).Text()), "\n"), "\n")
	member := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, " named ") })
	fields := strings.SplitN(lines[member], " ", 6)
	swap := func(field int, with string) string {
		changed := slices.Clone(fields)
		changed[field] = with
		return strings.Join(changed, " ")
	}
	foreign, _, _ := strings.Cut(swap(0, certOf(t, "thief").Curve.String()), "\n")
	for what, line := range map[string]string{
		"no fields":             "what",
		"a mistyped key":        swap(0, fields[0][:58]+"!"),
		"an unknown state":      swap(1, "trusted"),
		"no date":               swap(2, "yesterday"),
		"a bad address":         swap(3, "a,,b"),
		"too many addresses":    swap(3, strings.Repeat("a,", addressesMax)+"a"),
		"no certificate":        swap(4, "-"),
		"no base64":             swap(4, "***"),
		"a cut certificate":     swap(4, fields[4][:20]),
		"another's certificate": foreign,
		"pending with a name":   swap(1, "pending"),
		"a key twice":           lines[member] + "\n" + lines[member],
	} {
		text := strings.Join([]string{lines[0], "", "# comment", line}, "\n")
		_, err := ParseTrust([]byte(text))
		if !errors.Is(err, ErrTrustText) || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, text := range []string{"", "zsync trusted 2\n", "zs1"} {
		if _, err := ParseTrust([]byte(text)); !errors.Is(err, ErrTrustText) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseTrust(f *testing.F) {
	f.Add(assorted(f).Text())
	f.Add([]byte(trustHeading + "\n"))
	f.Add([]byte(trustHeading + "\n\n#\n- - - - - -\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		trust, err := ParseTrust(data)
		if err != nil {
			return
		}
		again, err := ParseTrust(trust.Text())
		if err != nil {
			t.Fatalf("%q does not read back: %v", trust.Text(), err)
		}
		if string(again.Text()) != string(trust.Text()) {
			t.Fatalf("%q became %q", trust.Text(), again.Text())
		}
	})
}
