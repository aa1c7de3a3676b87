package main

import (
	"io"
	"os"
	"path/filepath"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"

	"github.com/zsync/zsync/internal/control"
)

// version is what `zsync version` prints; set by the linker.
var version = "dev"

// home is where everything of one device is kept.
type home struct{ dir string }

func (h home) path(name string) string { return filepath.Join(h.dir, name) }
func (h home) keyFile() string         { return h.path("key") }
func (h home) trusted() string         { return h.path("trusted") }
func (h home) generation() string      { return h.path("generation") }
func (h home) database() string        { return h.path("device.db") }
func (h home) folders() string         { return h.path("folders") }
func (h home) config() string          { return h.path("config.toml") }
func (h home) lock() string            { return h.path("lock") }
func (h home) socket() string          { return h.path("control") }
func (h home) space(id string) string  { return filepath.Join(h.dir, "spaces", id+".db") }

// program is what every command has: its streams and its home.
type program struct {
	stdout, stderr io.Writer
	homeDir        string
	json           bool
}

func (p *program) home() home {
	switch {
	case p.homeDir != "":
		return home{p.homeDir}
	case os.Getenv("ZSYNC_HOME") != "":
		return home{os.Getenv("ZSYNC_HOME")}
	}
	return home{filepath.Join(xdg.DataHome, "zsync")}
}

func (p *program) client() *control.Client { return control.Dial(p.home().socket()) }

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	p := &program{stdout: stdout, stderr: stderr}
	root := &cobra.Command{
		Use:   "zsync",
		Short: "Keep folders of photos and files the same on your devices",
		Long: "zsync keeps folders of photos and files the same on your devices, over encrypted\nlinks, with no server and no account.\n\n" +
			"Exit codes: 0 ok, also for a device that was told to end; 1 failed; 2 usage; 3 not in\n" +
			"sync; 4 conflicts; 5 needs an answer; 6 no device is running; 7 not paired; 8 damage\n" +
			"found; 9 timeout; 130 interrupted while it waited for something.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetVersionTemplate("zsync {{.Version}}\n")
	root.PersistentFlags().StringVar(&p.homeDir, "home", "", "keep everything of this device under `DIR` (or set ZSYNC_HOME)")
	root.AddCommand(
		newInit(p), newID(p), newWatch(p), newServe(p), newDaemon(p), newPair(p),
		newDevices(p), newFolders(p), newStatus(p), newLog(p), newVersion(p),
		newConfirm(p), newConflicts(p), newWhy(p), newLs(p), newShow(p),
		newLimit(p),
		newTrash(p), newRestore(p), newUndo(p), newScrub(p), newRepair(p), newDoctor(p),
	)
	root.DisableSuggestions = true // complaint makes them
	root.SetFlagErrorFunc(wrongFlag)
	tidyBuiltIns(root)
	foldHelp(root)
	return root
}

// jsonFlag adds --json to a command that prints data.
func (p *program) jsonFlag(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&p.json, "json", false, "print JSON")
	return cmd
}
