package replica

import "testing"

func TestEachNameThatCannotTravelIsToldOfUntilItIsGivenAnother(t *testing.T) {
	a, b := newBox(t, 'a'), newBox(t, 'b')
	link(a, b)
	a.user().write("d/bad\xff", "one")
	a.user().write("d/worse\xfe", "two")
	a.scan()
	if p := a.status().Problems; len(p) != 2 || p[0].Path != "d/bad\xff" || p[1].Path != "d/worse\xfe" {
		t.Fatalf("problems %+v", p)
	}
	a.user().rename("d/bad\xff", "d/good")
	a.scan()
	if p := a.status().Problems; len(p) != 1 || p[0].Path != "d/worse\xfe" {
		t.Fatalf("problems %+v", p)
	}
	a.user().remove("d/worse\xfe")
	a.scan()
	if p := a.status().Problems; len(p) != 0 {
		t.Fatalf("problems %+v", p)
	}
	sync(a, b)
	b.wantNames("d d/good")
}
