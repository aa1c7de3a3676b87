package device

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
)

// missingShown is how many of the paths that wait for bytes which no connected device
// has are named in a status; the others are counted.
const missingShown = 20

// nobodyHas reports whether every device that is connected was asked for a content and
// has not got it, or none is connected.
func (f *FolderMachine) nobodyHas(content zsync.Digest) bool {
	w := f.fetch.wants[content]
	return w != nil && w.unhad || len(f.space.peers) == 0
}

// missing names the paths whose bytes no connected device has.
func (f *FolderMachine) missing(tx kv.Tx) (problems []replica.Problem) {
	if f.rootLost {
		return nil // that is why nothing comes
	}
	lacks, more := f.replica.Lacking(tx, missingShown, f.nobodyHas)
	if len(lacks) == 0 {
		return nil
	}
	members, names := f.space.devices(tx), f.space.names(tx)
	for _, lack := range lacks {
		why := f.whereabouts(tx, members, names, lack)
		problems = append(problems, replica.Problem{Path: lack.Path, Code: replica.CodeMissing, Why: why})
	}
	if more > 0 {
		why := fmt.Sprintf("no connected device has the bytes of at least %d more files;  zsync why PATH  tells of each", more)
		problems = append(problems, replica.Problem{Code: replica.CodeMissing, Why: why})
	}
	return problems
}

// whereabouts says who may have the bytes that no connected device has: those that are
// away and had all, or wrote them; or whoever is away; or nobody. It names no device for
// more than is known: who wrote a version may have lost it by now.
func (f *FolderMachine) whereabouts(tx kv.Tx, members []DeviceStatus, names map[zsync.DeviceID]string, lack replica.Lack) string {
	author := lack.Want.Author
	var likely, away []string
	for _, d := range members {
		switch {
		case f.space.tellers.direct[d.Device]:
		case d.Device == author:
			likely = slices.Insert(likely, 0, fmt.Sprintf("%s, which wrote it and is not connected (%s)", d.Name, lastSeen(d.Seen)))
		case d.had():
			likely = append(likely, fmt.Sprintf("%s, which had all of it and is not connected (%s)", d.Name, lastSeen(d.Seen)))
		default:
			away = append(away, fmt.Sprintf("%s (%s)", d.Name, lastSeen(d.Seen)))
		}
	}
	if len(likely) > 0 {
		return fmt.Sprintf("its bytes (%s) are to come from %s", sizeText(lack.Want.Size), strings.Join(likely, ", or "))
	}
	wrote := "this device wrote it and has it no more"
	switch name, member := names[author]; {
	case !member:
		wrote = "who wrote it is no device of the folder any more"
	case author != f.space.keys.Device():
		wrote = name + " wrote it and has it no more"
	}
	giveUp := f.givingUp(tx, lack.Path)
	switch {
	case len(away) > 0:
		return fmt.Sprintf("%s; no connected device has its bytes (%s). If anybody has: %s, not connected. %s", wrote, sizeText(lack.Want.Size), strings.Join(away, ", "), giveUp)
	case len(members) == 0:
		return fmt.Sprintf("%s; the folder has no other device, so its bytes (%s) are lost. %s", wrote, sizeText(lack.Want.Size), giveUp)
	}
	return fmt.Sprintf("%s; every device of the folder is connected, and none has its bytes (%s). %s", wrote, sizeText(lack.Want.Size), giveUp)
}
