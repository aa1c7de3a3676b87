package store

import "github.com/zsync/zsync"

// Disks made for cameras and sticks (FAT, exFAT) have no modes: each file and each
// directory shows the same one, whatever it was given. That is no change of a person.
// Such a disk is seen as one where everything has the mode that new things mostly
// have; what mode the log says stays as it is.
const (
	plainFileMode = 0o644
	plainDirMode  = 0o755
)

// keepsModes reports whether the disk keeps the modes that it is given: the private
// directory was just given one that no mount gives to everything.
func keepsModes(top Dir) (bool, error) {
	stat, err := top.Stat(privateDir)
	return stat.Mode == privateMode, err
}

func plain(s Stat) Stat {
	if s.Mode = plainFileMode; s.Type == zsync.TypeDir {
		s.Mode = plainDirMode
	}
	return s
}

// modeless is an FS on a disk without modes.
type modeless struct{ FS }

func (m modeless) Dir(path string) (Dir, error) {
	dir, err := m.FS.Dir(path)
	if err != nil {
		return nil, err
	}
	return modelessDir{dir}, nil
}

func (m modeless) Open(path string) (File, Stat, error) {
	file, stat, err := m.FS.Open(path)
	if err != nil {
		return nil, Stat{}, err
	}
	return modelessFile{file}, plain(stat), nil
}

func (m modeless) Self() (Stat, error) {
	stat, err := m.FS.Self()
	return plain(stat), err
}

type modelessDir struct{ Dir }

func (d modelessDir) Self() (Stat, error) {
	stat, err := d.Dir.Self()
	return plain(stat), err
}

func (d modelessDir) Stat(name string) (Stat, error) {
	stat, err := d.Dir.Stat(name)
	return plain(stat), err
}

func (d modelessDir) Open(name string) (File, Stat, error) {
	file, stat, err := d.Dir.Open(name)
	if err != nil {
		return nil, Stat{}, err
	}
	return modelessFile{file}, plain(stat), nil
}

func (d modelessDir) Create(name string) (File, error) {
	file, err := d.Dir.Create(name)
	if err != nil {
		return nil, err
	}
	return modelessFile{file}, nil
}

func (d modelessDir) Rename(name string, to Dir, toName string, how RenameMode) error {
	return d.Dir.Rename(name, to.(modelessDir).Dir, toName, how)
}

// Chmod only makes sure that there is something of that name.
func (d modelessDir) Chmod(name string, _ uint32) error {
	_, err := d.Dir.Stat(name)
	return err
}

type modelessFile struct{ File }

func (f modelessFile) Stat() (Stat, error) {
	stat, err := f.File.Stat()
	return plain(stat), err
}

func (f modelessFile) Clone(from File) error { return f.File.Clone(from.(modelessFile).File) }
