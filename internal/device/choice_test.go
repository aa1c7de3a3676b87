package device

import (
	"fmt"
	"testing"

	"github.com/zsync/zsync/filemq"
)

func TestWhatWaitedForWhatWasTakenBackIsAskedForOnceThatIsAnswered(t *testing.T) {
	d := newDesk(t, "a")
	far := d.far['a']
	far.mute = true
	var forgone Unfetch
	forgone.Space = spaceNamed(1)
	for i := range filemq.RequestsMax {
		name := fmt.Sprintf("forgone %d", i)
		forgone.Contents = append(forgone.Contents, digestOf(name))
		d.want('a', name)
	}
	asked := len(far.asked)
	d.unfetch(d.now, forgone)
	d.run()

	far.mute = false
	d.have('a', "wanted")
	d.want('a', "wanted")
	d.expect("what was asked for while the session was full", far.asked[asked:])

	for i := range asked {
		far.fm.Refused(d.now, uint32(i+1), 0, filemq.CodeAbsent)
	}
	d.run()
	d.expect("staged", d.staged, "wanted")
}
