package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	kills     = 20
	killEvery = time.Second
	editEvery = 15 * time.Millisecond
	editNames = 30 // small, so that the two sides meet on the same files
)

// TestNoKillLosesWhatSomebodyWrote has people edit the same small files on two
// devices while these are killed, 20 times, without warning. Afterwards both hold
// the same tree, and all that was ever written, and that nobody here took away, is
// in a tree, under the name of a conflict copy or not, or in a versions area.
func TestNoKillLosesWhatSomebodyWrote(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	dir, err := os.MkdirTemp("", "z")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))

	sides := []*side{newSide(t, dir, "laptop"), newSide(t, dir, "box")}
	sides[0].zsync("pair", "--key", sides[1].key, "--peer", sides[1].listen)
	sides[1].zsync("pair", "--key", sides[0].key, "--peer", sides[0].listen)
	for _, s := range sides {
		s.start()
		s.up()
	}
	sides[0].zsync("status", "--wait", "--timeout", patience.String())

	stop := make(chan struct{})
	var people sync.WaitGroup
	for i, s := range sides {
		p := &person{side: s, rng: rand.New(rand.NewPCG(seed, uint64(i+1))), trash: filepath.Join(dir, s.name+"-trash")}
		s.person = p
		people.Go(func() { p.live(stop) })
	}
	for range kills {
		time.Sleep(killEvery + time.Duration(rng.IntN(200))*time.Millisecond)
		victim := sides[rng.IntN(2)]
		victim.kill()
		victim.start()
	}
	close(stop)
	people.Wait()
	for _, s := range sides {
		s.up()
	}
	for began := time.Now(); differing(sides) != nil && time.Since(began) < patience; time.Sleep(100 * time.Millisecond) {
		for _, s := range sides {
			s.confirm() // what is held back is a person's to confirm
		}
	}
	agree(t, sides, func() error { return sameTrees(sides) })
	for _, s := range sides {
		s.zsync("status", "--wait", "--timeout", patience.String())
	}
	compareSides(t, sides)
}

func compareSides(t *testing.T, sides []*side) {
	t.Helper()
	trees := make([]map[string]leaf, len(sides))
	kept := make(map[string]bool)
	for i, s := range sides {
		var err error
		if trees[i], err = readTree(s.folder); err != nil {
			t.Fatal(err)
		}
		gather(t, kept, s.folder)
		gather(t, kept, s.person.trash)
	}
	if diff := differ(trees[0], trees[1]); diff != "" {
		t.Errorf("the trees differ (%d entries):\n%s", len(trees[0]), diff)
	}
	written := 0
	for _, s := range sides {
		written += len(s.person.wrote)
		for content, where := range s.person.wrote {
			if !kept[content] {
				t.Errorf("lost: %q, written on the %s to %s", content, s.name, where)
			}
		}
	}
	t.Logf("%d contents written, %d entries in the end", written, len(trees[0]))
}

// gather adds the content of each file under dir, versions area included.
func gather(t *testing.T, kept map[string]bool, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		kept[string(data)] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// person edits the files of one side.
type person struct {
	side  *side
	rng   *rand.Rand
	trash string
	count int
	wrote map[string]string // content that nobody took away, and where it was written
}

func (p *person) live(stop chan struct{}) {
	p.wrote = make(map[string]string)
	if err := os.MkdirAll(p.trash, 0o755); err != nil {
		p.side.t.Error(err)
	}
	for {
		select {
		case <-stop:
			return
		case <-time.After(editEvery + time.Duration(p.rng.IntN(int(editEvery)))):
			p.edit()
		}
	}
}

// edit does one thing to one file. What it takes away it takes to the trash, in
// one step, so that nothing that zsync put there meanwhile is missed.
func (p *person) edit() {
	p.count++
	path := filepath.Join(p.side.folder, fmt.Sprintf("d%d", p.rng.IntN(3)), fmt.Sprintf("file-%02d", p.rng.IntN(editNames)))
	_ = os.MkdirAll(filepath.Dir(path), 0o755) // zsync may take it away before the next step, which then does nothing
	away := filepath.Join(p.trash, fmt.Sprint(p.count))
	switch p.rng.IntN(8) {
	case 0:
		_ = os.Rename(path, away)
	case 1:
		_ = os.Rename(path, path+"-renamed-"+fmt.Sprint(p.count)+p.side.name)
	case 2:
		p.append(path)
	default:
		_ = os.Rename(path, away)
		p.create(path)
	}
}

// create makes a file unless there is one.
func (p *person) create(path string) {
	content := fmt.Sprintf("%s %d\n", p.side.name, p.count)
	draft := filepath.Join(p.trash, "draft")
	if err := os.WriteFile(draft, []byte(content), 0o644); err != nil {
		p.side.t.Error(err)
	}
	if os.Link(draft, path) == nil {
		p.wrote[content] = path
	}
	if err := os.Remove(draft); err != nil {
		p.side.t.Error(err)
	}
}

// append writes to a file in place; what it held before, its writer took away.
func (p *person) append(path string) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return
	}
	defer file.Close()
	var before bytes.Buffer
	if _, err := before.ReadFrom(file); err != nil {
		p.side.t.Error(err)
	}
	delete(p.wrote, before.String())
	more := fmt.Sprintf("and %s %d\n", p.side.name, p.count)
	if _, err := file.WriteString(more); err != nil {
		p.side.t.Error(err)
	}
	p.wrote[before.String()+more] = path
}

// side is a device in a process of its own, with its folder.
type side struct {
	t        *testing.T
	name     string
	home     string
	folder   string
	listen   string
	transfer string
	key      string
	orders   []string // more environment for the next start
	process  *exec.Cmd
	person   *person

	descriptors string // that it may have open; "": as many as the system allows
}

func newSide(t *testing.T, dir, name string) *side {
	t.Helper()
	listen, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	transfer, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	s := &side{t: t, name: name, home: filepath.Join(dir, name), folder: filepath.Join(dir, name+"-data", "Photos"), listen: listen, transfer: transfer}
	if err := os.MkdirAll(s.folder, 0o755); err != nil {
		t.Fatal(err)
	}
	s.key = regexp.MustCompile("zs1[a-z2-7]+").FindString(s.zsync("init", "--name", name))
	return s
}

func (s *side) zsync(args ...string) string {
	s.t.Helper()
	out, err := exec.Command("zsync", append(args, "--home", s.home)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: zsync %s: %v\n%s\n%s", s.name, strings.Join(args, " "), err, out, s.said())
	}
	return string(out)
}

// confirm lets everything through that is held back on a side, if it answers.
func (s *side) confirm() {
	st, err := s.status()
	if err != nil || !st.Running {
		return
	}
	for _, f := range st.Folders {
		for _, held := range f.Held {
			_ = exec.Command("zsync", "confirm", held.ID, "--home", s.home).Run() // it may be over
		}
	}
}

// start runs the device in the background.
func (s *side) start() {
	s.t.Helper()
	command := []string{"zsync", "watch", s.folder, "--home", s.home, "--listen", s.listen, "--listen-transfer", s.transfer}
	if s.descriptors != "" {
		command = append([]string{"sh", "-c", `ulimit -n ` + s.descriptors + `; exec "$@"`, "sh"}, command...)
	}
	s.process = exec.Command(command[0], command[1:]...)
	s.process.Env = append(os.Environ(), s.orders...)
	log, err := os.OpenFile(s.home+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if s.process.ProcessState == nil {
			s.kill()
		}
	})
}

// said is what the device printed, all its lives long.
func (s *side) said() []byte {
	text, _ := os.ReadFile(s.home + ".log") // none: it said nothing
	return text
}

// up waits until the device answers.
func (s *side) up() {
	s.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, err := s.status(); err == nil {
			return
		}
	}
	s.t.Fatalf("%s does not answer\n%s", s.name, s.said())
}

func (s *side) kill() {
	if err := s.process.Process.Kill(); err != nil {
		s.t.Errorf("%s ended by itself: %v\n%s", s.name, err, s.said())
	}
	_ = s.process.Wait() // says that it was killed
}
