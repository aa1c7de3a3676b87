package zeromq

import "testing"

func TestALookTellsTheNetworkAndTheClocks(t *testing.T) {
	look := Lookout()
	first, then := look(), look()
	if first.Networks == nil || len(first.Networks) > len(first.Addresses) {
		t.Errorf("networks %v of addresses %v", first.Networks, first.Addresses)
	}
	if first.Addresses == nil || then.Awake < first.Awake || then.All < first.All {
		t.Errorf("%+v, %+v", first, then)
	}
}
