package filemq

import "fmt"

// The ledger of one direction has two ends. The fetcher's window says how much
// credit to grant; the provider's purse holds what was granted. All amounts are
// octets of cost: an item's own, however it travels, and ItemCostBytes. What travels
// compressed takes all of them in the fetcher's memory.

func costOf(octets int) int64 { return int64(octets) + ItemCostBytes }

// window is the fetcher's end. granted - received is the credit that the peer
// still has; received - disposed is what lies here unverified. Both together
// never exceed size.
type window struct {
	size     int64
	granted  int64
	received int64
	disposed int64
	noms     uint64 // sent so far
}

// outstanding returns the credit that the peer still has.
func (w *window) outstanding() int64 { return w.granted - w.received }

// receive charges what arrived. False: the peer sent more than it was granted.
func (w *window) receive(cost int64) bool {
	if cost > w.outstanding() {
		return false
	}
	w.received += cost
	return true
}

// dispose gives back the credit of what has been stored or dropped.
func (w *window) dispose(cost int64) {
	if cost < 0 || cost > w.received-w.disposed {
		panic("filemq: disposed of more than was received")
	}
	w.disposed += cost
}

// owed returns the credit that can be granted now. Credit is given back when a
// quarter of the window is free: once all that came is disposed of, the peer then has
// more than three quarters, and so enough for one of the largest items.
func (w *window) owed() (credit int64) {
	free := w.size - (w.granted - w.disposed)
	if free < max(w.size/4, 1) {
		return 0
	}
	return free
}

// grant returns the NOM by which the peer hears of credit.
func (w *window) grant(credit int64) Nom {
	nom := Nom{Credit: uint64(credit), Sequence: w.noms}
	w.granted += credit
	w.noms++
	return nom
}

// purse is the provider's end. left is credit that nothing has a claim on;
// reserved is the claim of items that are being read or wait in a bundle.
type purse struct {
	left     int64
	reserved int64
	limit    int64 // the most that left and reserved may be together
	noms     uint64
}

// earn adds granted credit. Checking against the limit before adding keeps a
// grant of 2^64-1 from wrapping.
func (p *purse) earn(grant Nom) error {
	switch {
	case grant.Sequence != p.noms:
		return fmt.Errorf("%w: NOM %d came as number %d", errSequence, grant.Sequence, p.noms)
	case grant.Credit == 0 || grant.Credit > uint64(p.limit-p.left-p.reserved):
		return fmt.Errorf("%w: %d beside %d", errCredit, grant.Credit, p.left+p.reserved)
	}
	p.left += int64(grant.Credit)
	p.noms++
	return nil
}

// reserve claims credit for an item before it is read. False: there is not
// enough yet.
func (p *purse) reserve(cost int64) bool {
	if cost > p.left {
		return false
	}
	p.left -= cost
	p.reserved += cost
	return true
}

// release gives up a claim.
func (p *purse) release(cost int64) {
	p.reserved -= cost
	p.left += cost
	p.check()
}

// spend pays with a claim.
func (p *purse) spend(cost int64) {
	p.reserved -= cost
	p.check()
}

func (p *purse) check() {
	if p.reserved < 0 || p.left < 0 {
		panic("filemq: credit below zero")
	}
}
