package meter

// Stages are the stages of the data path of one device, over all its folders.
type Stages struct {
	// The workers on the disk, several side by side.
	List     Stage // a directory was listed; its entries
	Hash     Stage // files were read, hashed and cut; files, octets
	Read     Stage // bytes were read for another device; pieces, octets
	Receive  Stage // bytes were verified and written to staging; pieces, octets
	Copy     Stage // bytes that were here already were put into staging; chunks or contents, octets of the latter
	Flush    Stage // what is staged was made durable
	Apply    Stage // a batch was carried out in the tree; changes, octets placed
	Versions Stage // the versions area was looked after; versions
	Verify   Stage // files were read again to find damage; files, octets

	// The machines, each in a goroutine of its own.
	Folder Stage // turns of the folders' machines; what they were told
	Merge  Stage // those of them that took in events of other devices; events
	Home   Stage // turns of the device's own machine
	Link   Stage // turns of the machine that keeps the connections
	Commit Stage // a database made a transaction durable; keys, octets

	// The sockets; what is encrypted is encrypted by ZeroMQ's own threads, which only
	// the time of the process tells of.
	MailIn, MailOut         Stage // the mailbox: messages of the protocol and of the log; frames, octets
	TransferIn, TransferOut Stage // the transfer link: bytes of files; frames, octets
}

// Each yields every stage with its name and with what its items are, in the order of
// the data path.
func (s *Stages) Each(yield func(name, items string, stage *Stage)) {
	yield("list", "entries", &s.List)
	yield("hash", "files", &s.Hash)
	yield("read", "pieces", &s.Read)
	yield("receive", "pieces", &s.Receive)
	yield("copy", "chunks", &s.Copy)
	yield("flush", "", &s.Flush)
	yield("apply", "changes", &s.Apply)
	yield("versions", "versions", &s.Versions)
	yield("verify", "files", &s.Verify)
	yield("folder", "inputs", &s.Folder)
	yield("merge", "events", &s.Merge)
	yield("home", "inputs", &s.Home)
	yield("link", "inputs", &s.Link)
	yield("commit", "keys", &s.Commit)
	yield("mail-in", "frames", &s.MailIn)
	yield("mail-out", "frames", &s.MailOut)
	yield("transfer-in", "frames", &s.TransferIn)
	yield("transfer-out", "frames", &s.TransferOut)
}
