package device

import (
	"testing"
	"time"
)

func TestSleepAndAnotherNetworkAreSeenAndNothingElse(t *testing.T) {
	home, cafe := []string{"192.168.1.5", "fd00::5"}, []string{"10.1.2.3"}
	wifi := []string{"wlan0"}
	second := func(awake, all time.Duration) Sight {
		return Sight{Awake: awake * time.Second, All: all * time.Second, Addresses: home, Links: wifi}
	}
	with := func(s Sight, addresses, links []string) Sight {
		s.Addresses, s.Links = addresses, links
		return s
	}
	for _, c := range []struct {
		name    string
		is, was Sight
		want    any
	}{
		{"time goes by", second(3, 103), second(0, 100), nil},
		{"the process was held up", second(60, 160), second(0, 100), nil},
		{"the clock is kept right", second(3, 107), second(0, 100), nil},
		{"the machine slept", second(3, 3703), second(0, 100), Woke{}},
		{"the clock was set back", second(3, 50), second(0, 100), nil},
		{"another network", with(second(3, 103), cafe, wifi), second(0, 100), Woke{}},
		{"no network", with(second(3, 103), []string{}, []string{}), second(0, 100), Woke{}},
		{"a network again", second(3, 103), with(second(0, 100), []string{}, []string{}), Retry{}},
		{"a cable besides", with(second(3, 103), home, []string{"eth0", "wlan0"}), second(0, 100), Retry{}},
		{"an interface of a container is gone", with(second(3, 103), home, nil), second(0, 100), nil},
		{"the system does not tell", with(second(3, 103), nil, nil), second(0, 100), nil},
	} {
		var v vigil
		if first := v.see(c.was); first != nil {
			t.Errorf("%s: at first there is %T", c.name, first)
		}
		if got := v.see(c.is); got != c.want {
			t.Errorf("%s: %T, want %T", c.name, got, c.want)
		}
	}
}

func TestWhatTheSystemDidNotTellOnceIsNoNewsAfterwards(t *testing.T) {
	var v vigil
	known := Sight{Addresses: []string{"192.168.1.5"}, Links: []string{"eth0"}}
	for range 2 {
		if v.see(known) != nil || v.see(Sight{}) != nil {
			t.Error("news")
		}
	}
}
