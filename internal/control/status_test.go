package control

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/zre"
)

// TestAttemptsOfThoseWhoWereLetInAreNoNews keeps the list to what a person may
// want to act on.
func TestAttemptsOfThoseWhoWereLetInAreNoNews(t *testing.T) {
	at := time.Unix(1, 0)
	f := &fake{snapshot: device.Snapshot{
		Name:    "laptop",
		Records: []security.Record{{Key: keyOf(1), State: security.InCircle}, {Key: keyOf(2), State: security.Revoked}},
		Links: device.LinkStatus{Attempts: []device.Attempt{
			{Key: keyOf(1), Address: "10.0.0.1", Count: 1, Last: at},
			{Address: "10.0.0.1", Count: 1, Last: at},
			{Key: keyOf(1), Address: "tcp://10.0.0.1:7001", Why: "another key", Count: 2, Last: at},
			{Key: keyOf(2), Address: "10.0.0.2", Count: 3, Last: at},
			{Key: keyOf(3), Address: "10.0.0.3", Count: 4, Last: at},
			{Address: "10.0.0.4", Count: 5, Last: at},
		}},
	}}
	client, _ := serving(t, f)
	st, err := client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range st.Attempts {
		got = append(got, fmt.Sprint(a.Address, " ", a.Count, " ", a.Key != ""))
	}
	want := []string{"10.0.0.1:7001 2 true", "10.0.0.2 3 true", "10.0.0.3 4 true", "10.0.0.4 5 false"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if st.Device.Name != "laptop" || st.Device.Key != "zs1self" || !st.Running {
		t.Errorf("device %+v", st.Device)
	}
}

func TestAPeersLineTellsHowItIsReachedAndHowFast(t *testing.T) {
	f := &fake{snapshot: device.Snapshot{Links: device.LinkStatus{Peers: []device.PeerStatus{
		{Name: "a", Link: zre.LinkRequired, RoundTrip: 1234567 * time.Nanosecond},
		{Name: "b", Link: zre.LinkIncoming},
		{Name: "c", Link: zre.LinkSighted},
		{Name: "d", Connecting: true},
	}}}}
	client, _ := serving(t, f)
	st, err := client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range st.Peers {
		got = append(got, fmt.Sprint(p.Name, " ", p.Link, " ", p.RTT))
	}
	if want := []string{"a static 1.234", "b incoming 0", "c lan 0", "d none 0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMissingNamesTheFirstThingThatIsNotDone(t *testing.T) {
	began := time.Unix(1000, 0)
	before, after := stamp(began.Add(-time.Second)), stamp(began.Add(time.Second))
	box := func(state, seen string, linked bool) []Device {
		return []Device{{Name: "box", State: state, Seen: seen, Linked: linked, NeedFiles: 3}}
	}
	unmet := []Pending{{Key: "zs1abcdefghij", State: "pending"}}
	for _, c := range []struct {
		st        Status
		connected bool
		want      string
	}{
		{Status{}, false, ""},
		{Status{Pending: unmet}, false, "has not been met yet"},
		{Status{Pending: unmet}, true, ""},
		{Status{Pending: []Pending{{Name: "box", State: "paired"}}}, false, "box was met"},
		{Status{Counters: Counters{Joining: 1}}, false, "not yet a member"},
		{Status{Folders: []Folder{{Label: "P", State: "scanning"}}}, false, "P is scanning here"},
		{Status{Folders: []Folder{{Label: "P", State: "syncing", NeedFiles: 2}}}, false, "P is syncing here (files to go: 2)"},
		{Status{Folders: []Folder{{Label: "P", State: "waiting", Unread: 1, Problems: []Problem{{"a", "name", "n"}, {"b", "unreadable", "why"}}}}}, false, "P is in sync here but for what cannot be read, b: why"},
		{Status{Folders: []Folder{{Label: "P", State: "waiting", Unread: 2, Problems: []Problem{{"b", "unreadable", "why"}}}}}, false, "2 items; the first is b: why"},
		{Status{Circle: box("in-sync", before, false)}, false, "box is not connected"},
		{Status{Circle: []Device{{Name: "box", State: "offline", Was: "in-sync", Seen: before}}}, false, "box is not connected"},
		{Status{Circle: []Device{{Name: "box", State: "offline", Was: "in-sync", Seen: after}}}, false, ""},
		{Status{Circle: []Device{{Name: "box", State: "offline", Was: "syncing", Seen: after}}}, false, "box is not in sync with the circle"},
		{Status{Circle: box("in-sync", before, false)}, true, ""},
		{Status{Circle: box("in-sync", after, false)}, false, ""},
		{Status{Circle: box("syncing", after, true)}, true, "box is not in sync with the circle (files to go: 3)"},
		{Status{Folders: []Folder{{Label: "P", State: "in-sync", Devices: box("syncing", after, true)}}}, false, "box is not in sync with P (files to go: 3)"},
	} {
		got := c.st.Missing(began, c.connected)
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%+v: %q, not %q", c.st, got, c.want)
		}
	}
}
