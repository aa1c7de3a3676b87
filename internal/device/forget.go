package device

import "time"

// forgetReadAfter is how long after the last hash the disk keeps the small files in
// memory that it read for it.
const forgetReadAfter = 10 * time.Second

// ForgetRead asks the disk to give that memory back. It is answered by nothing.
type ForgetRead struct{}

// forgetRead gives the order when it is due.
func (f *FolderMachine) forgetRead(now time.Time) {
	if f.forgetAt.IsZero() || now.Before(f.forgetAt) {
		return
	}
	f.forgetAt = time.Time{}
	f.space.emit(Address{Part: Disk, Space: f.cfg.Space}, ForgetRead{})
}
