package device

import (
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
)

func TestAnEventOfTheCircleThatSpeaksOfFilesIsShownWithoutThem(t *testing.T) {
	k, _ := inCircle(t)
	var ev zsync.EventID
	must(t, k.db.Update(func(tx kv.Tx) error {
		body := replica.EncodeBody(replica.Body{{Kind: replica.OpDel, Node: zsync.NodeID{1}, Supersedes: []zsync.Dot{{Event: zsync.EventID{1}}}}})
		out, err := k.home.circle.append(tx, epoch, zsync.KindFS, body)
		ev = out.ID
		return err
	}))
	shown, err := k.home.Show(ev.String())
	must(t, err)
	if len(shown) != 1 || shown[0].Damaged != "" || len(shown[0].Lines) != 0 {
		t.Errorf("%+v", shown)
	}
}
