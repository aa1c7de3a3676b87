package control

import (
	"time"

	"github.com/zsync/zsync/internal/device"
)

// Line is what `zsync log --json` prints for one operation.
type Line struct {
	Version int    `json:"v"`
	Event   string `json:"event"`
	Lamport uint64 `json:"lamport"`
	Seq     uint64 `json:"seq"`
	Device  string `json:"device"`
	Name    string `json:"name"`
	Wall    string `json:"wall"`
	Folder  string `json:"folder"`
	Op      string `json:"op"`
	Path    string `json:"path"`
	From    string `json:"from"`
	Size    int64  `json:"size"`
	Content string `json:"content"`
}

// LineOf turns one operation of a folder's history into a line.
func LineOf(l device.HistoryLine) Line {
	return Line{
		Version: 1, Event: l.Event.String(), Lamport: l.Lamport, Seq: l.Seq,
		Device: l.Device.String(), Name: l.Name, Wall: l.Wall.UTC().Format(time.RFC3339),
		Folder: l.Folder, Op: l.Op, Path: l.Path, From: l.From, Size: l.Size,
		Content: contentText(l.Content),
	}
}
