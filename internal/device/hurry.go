package device

import (
	"time"

	"github.com/zsync/zsync/security"
)

// People stand in front of both devices when they pair them: for hurryFor after a key
// was typed its owner is dialled every hurryEvery at least, whatever pause the dials
// before have earned. Its device may be started late, or be told of this one late.
const (
	hurryFor   = 10 * time.Minute
	hurryEvery = 2 * time.Second
)

// hurry dials those whose keys were typed a short time ago and who are not here.
func (l *LinkMachine) hurry(now time.Time) {
	if now.Before(l.hurryAt) {
		return
	}
	l.hurryAt = time.Time{}
	if !l.pending {
		return
	}
	for _, record := range l.trust.Records() {
		if record.State != security.Pending || len(record.Addresses) == 0 || !now.Before(record.Since.Add(hurryFor)) {
			continue
		}
		l.hurryAt = now.Add(hurryEvery)
		for _, address := range record.Addresses {
			if !l.isHere(record.Key) {
				l.node.Require(now, endpointOf(address), record.Key)
			}
		}
	}
}
