package control

// Status is what `zsync status --json` prints.
type Status struct {
	Version  int       `json:"v"`
	Running  bool      `json:"running"`
	Device   Self      `json:"device"`
	Folders  []Folder  `json:"folders"`
	Peers    []Peer    `json:"peers"`
	Attempts []Attempt `json:"attempts"`
	Offences []Offence `json:"offences"` // what trusted devices did that no honest one does, since the start
	Circle   []Device  `json:"circle"`   // the other members, and how far they are with the circle's own log
	Pending  []Pending `json:"pending"`  // keys that were typed and whose owners are not yet in the circle
	Keys     []string  `json:"keys"`     // of the devices in the circle
	Offered  []string  `json:"offered"`  // labels of the circle's folders that are not kept here
	Counters Counters  `json:"counters"`
	Limits   Limits    `json:"limits"`
	// CircleWhy says why this device writes nothing to the circle's log; "": it does.
	CircleWhy string `json:"circle_why,omitempty"`
	Stats     *Stats `json:"stats,omitempty"` // only where it was asked for
}

// Self is the device that answers.
type Self struct {
	Key      string `json:"key"`
	Device   string `json:"device"`
	Name     string `json:"name"`
	Listen   string `json:"listen"`
	Transfer string `json:"transfer"`
	UI       string `json:"ui"`
}

// Folder is one folder on this device.
type Folder struct {
	Label     string    `json:"label"`
	Path      string    `json:"path"`
	Space     string    `json:"space"`
	Role      string    `json:"role"`
	State     string    `json:"state"`
	Why       string    `json:"why,omitempty"`
	Files     int64     `json:"files"`
	Bytes     int64     `json:"bytes"`
	NeedFiles int64     `json:"need_files"`
	NeedBytes int64     `json:"need_bytes"`
	Conflicts int64     `json:"conflicts"`
	Held      []Held    `json:"held"`
	Problems  []Problem `json:"problems"`
	Frontier  string    `json:"frontier"`
	Lamport   uint64    `json:"lamport"`
	Devices   []Device  `json:"devices"`
	Unread    int       `json:"unread"` // files and directories that cannot be read; all else is in sync
	Resumed   int64     `json:"resumed_chunks"`
	Reused    int64     `json:"reused_chunks"`
	Current   string    `json:"current"`
	// Left is what of NeedBytes has not been received either.
	Left int64 `json:"left_bytes"`
	Progress
}

// Held is a batch that waits for a person.
type Held struct {
	ID  string `json:"id"`
	Why string `json:"why"`
}

// Problem is why one path is not in sync.
type Problem struct {
	Path string `json:"path"`
	Code string `json:"code"`
	Why  string `json:"why"`
}

// Device is another device and how far it is.
type Device struct {
	Device    string `json:"device"`
	Name      string `json:"name"`
	State     string `json:"state"`
	Was       string `json:"was"` // the last state that is known, where it is offline; "": none is
	NeedFiles uint64 `json:"need_files"`
	NeedBytes uint64 `json:"need_bytes"`
	Seen      string `json:"seen"`
	Linked    bool   `json:"linked"`
	Silent    bool   `json:"silent"` // it is linked, and does not answer
	Via       string `json:"via"`    // a device that is linked to it, where this one is not
	// Clock is how far its clock is ahead of this device's, in milliseconds; 0: not known.
	Clock int64 `json:"clock_ahead_ms,omitempty"`
	Progress
}

// The states of a Peer.
const (
	PeerReady      = "ready"
	PeerEvasive    = "evasive" // it has said nothing for a while
	PeerConnecting = "connecting"
)

// Peer is a connected device.
type Peer struct {
	Device   string  `json:"device"`
	Key      string  `json:"key"`
	Name     string  `json:"name"`
	State    string  `json:"state"`
	Link     string  `json:"link"`
	Endpoint string  `json:"endpoint"`
	Sent     uint64  `json:"sent_bytes"`
	Received uint64  `json:"received_bytes"`
	RTT      float64 `json:"rtt_ms"`
	Network  string  `json:"network"` // lan: one that this device is on; wan: another
	Limit    Limit   `json:"limit"`   // of all links to devices there
}

// Attempt is a connection that came to nothing.
type Attempt struct {
	Key     string `json:"key"`
	Address string `json:"address"`
	Count   int    `json:"count"`
	Last    string `json:"last"`
	Why     string `json:"why,omitempty"`
}

// Offence is what one device did wrong. Why follows its name in a sentence.
type Offence struct {
	Device string `json:"device"`
	Name   string `json:"name"`
	Code   string `json:"code"`
	Why    string `json:"why"`
	Count  int    `json:"count"`
	Last   string `json:"last"`
}

// Pending is a key that was typed here and whose owner is not yet in the circle.
type Pending struct {
	Key   string `json:"key"`
	Name  string `json:"name"`  // "" until it was met
	State string `json:"state"` // pending: not met; paired: met, not yet in the circle
	Since string `json:"since"`
}

// Counters are figures about the whole device.
type Counters struct {
	Commands uint64 `json:"commands_parsed"` // ZRE commands of peers
	Ignored  int64  `json:"messages_ignored"`
	Queued   int    `json:"items_queued"`
	Joining  uint64 `json:"joining"` // the circle and folders that this device is not yet a member of
}
