// Package security says who this device is, whom it trusts, and who may say
// what in a space.
//
// [Keys] are this device's three secrets, one role each: CURVE for the
// transport (its public half is what people pair by), sign for events (its
// SHA-256 is the device id) and seal for what is encrypted to the device. They
// rest in one file that only its owner can read, optionally under a passphrase.
// A [Certificate] is what they say in public, signed by themselves.
//
// [Trust] lists the keys that may connect. [Pairing] is the machine that turns
// a typed key into a pinned certificate:
//
//	zs1…  ──Pend──▶ pending ──CERT over the key's own channel, Pin──▶ paired ──named by the circle's log, Enrol──▶ in circle
//	                   │ 24 h
//	                   ▼ gone
//
// [Members] judges events: it folds the membership events of one space and is
// the log's authority. Its one rule is that a judgement reads nothing but the
// event and what that event itself says it had seen; so every device comes to
// the same one, in whatever order the events arrive.
//
//	genesis ◀──auth── member add B ◀──auth── B's writer_open ◀──prev── B's events …
//	        ◀──auth── member add C            (B has a right here: its frontier, closed, adds B)
//
// [Generation] finds out that this device's database is older than what the
// device has already told others: a restored backup or a copied home.
//
// Keys are used only in the role they were made for. Everything here is pure
// but for the functions that take the path of a file. Sockets, the log itself
// and the wording of prompts are left to others.
package security
