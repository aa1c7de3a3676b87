package control

import "github.com/zsync/zsync/internal/device"

// Progress is how far a device is with a folder, and what is to be expected.
type Progress struct {
	// Percent is how much of the folder is there; 100 only where nothing is to go.
	Percent int `json:"percent"`
	// ETA is how long the rest takes, in seconds; 0: nobody knows, as at the beginning,
	// while there is ever more to do, and while nothing moves.
	ETA int64 `json:"eta_seconds,omitempty"`
	// Rate is how many octets went in a second lately.
	Rate int64 `json:"bytes_per_second,omitempty"`
}

// fileWeight is what a file counts for beside its octets, in octets: a folder of small
// files is far when most of them are there.
const fileWeight = 16 << 10

// progressOf says how far a device is that lacks so much of a whole.
func progressOf(whole, lacks weight, o device.Outlook) Progress {
	p := Progress{Percent: 100, Rate: int64(o.BytesPerSecond)}
	if o.Left > 0 {
		p.ETA = max(1, int64(o.Left.Seconds()+0.5))
	}
	if lacks > 0 {
		p.Percent = int(max(0, min(99, 100*(whole-lacks)/max(1, whole))))
	}
	return p
}

// weight is how much files are, in octets and as fileWeight says. It is no integer, for
// it comes from other devices, too.
type weight float64

func weigh[N int64 | uint64](files, bytes N) weight {
	return fileWeight*weight(max(0, files)) + weight(max(0, bytes))
}

// progress says of a folder, and of each of the other devices, how far they are. What a
// device lacks is held against what the folder has when nothing is to go.
func (f *Folder) progress(here device.Outlook, there []device.DeviceStatus) {
	whole := weigh(f.Files+f.NeedFiles, f.Bytes+f.NeedBytes)
	f.Progress = progressOf(whole, weigh(f.NeedFiles, f.Left), here)
	for i, d := range there {
		f.Devices[i].Progress = progressOf(whole, weigh(d.NeedFiles, d.NeedBytes), d.Outlook)
	}
}
