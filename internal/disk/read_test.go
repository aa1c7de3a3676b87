package disk

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/store"
)

func TestTheItemsOfAnAnswerDoNotShareOctets(t *testing.T) {
	dir := t.TempDir()
	sizes := []int{100 << 10, 5, zsync.ContentChunkMax, 90 << 10, 128 << 10, 1, zsync.ContentChunkMax - 1, 7}
	for i, size := range sizes {
		try(t, os.WriteFile(filepath.Join(dir, name(i)), bytes.Repeat([]byte{byte(i + 1)}, size), 0o644))
	}
	disk, err := store.OpenOS(dir)
	try(t, err)
	root, err := store.Open(disk, store.Options{Reserve: -1})
	try(t, err)
	t.Cleanup(func() { _ = root.Close() })
	var parts []device.SpanPart
	for i, entry := range root.List("").Entries {
		span := store.Span{Path: zsync.Path(entry.Name), Stat: entry.Stat}
		parts = append(parts, device.SpanPart{Req: 1, Index: uint16(i), Span: span, Size: uint32(entry.Stat.Size)})
	}
	parts[3].Span.Stat.Inode++ // as if it had been replaced
	for range 2 {              // the second time in what the first one gave back
		answer := one[device.Supply](t, root, device.ReadSpans{Parts: parts})
		for i, part := range answer.Parts {
			want := bytes.Repeat([]byte{byte(i + 1)}, sizes[i])
			if i == 3 && (part.Data != nil || part.Code != filemq.CodeChanged) || i != 3 && !bytes.Equal(part.Data, want) {
				t.Errorf("item %d: %d octets, code %d", i, len(part.Data), part.Code)
			}
		}
		answer.Release()
	}
}

func name(i int) string { return fmt.Sprintf("file%d", i) }
