package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"github.com/zsync/zsync/security"
)

// settings are what a device remembers from one start to the next, in
// config.toml; a person may edit it while the device is stopped.
type settings struct {
	Name     string   `toml:"name" comment:"what other devices call this one"`
	Listen   string   `toml:"listen" comment:"where peers connect, HOST:PORT"`
	Transfer string   `toml:"listen_transfer" comment:"where peers fetch data, HOST:PORT"`
	Peers    []string `toml:"peers" comment:"devices to dial, HOST:PORT or HOST:PORT,KEY"`
	// The limits are rates as zsync limit takes them; "" is none.
	LimitLANUp   string `toml:"limit_lan_up,omitempty"`
	LimitLANDown string `toml:"limit_lan_down,omitempty"`
	LimitWANUp   string `toml:"limit_wan_up,omitempty"`
	LimitWANDown string `toml:"limit_wan_down,omitempty"`
}

// deviceFlags are the flags of watch, serve and daemon.
type deviceFlags struct {
	listen, transfer, name, iface, ui string
	peers                             []string
	beaconPort                        int
}

func (f *deviceFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.listen, "listen", "", "where peers connect, `HOST:PORT` (remembered; default: all interfaces, a free port chosen once)")
	cmd.Flags().StringVar(&f.transfer, "listen-transfer", "", "where peers fetch data, `HOST:PORT` (remembered; default: a free port on the same host)")
	cmd.Flags().StringVar(&f.name, "name", "", "`NAME` that other devices call this one by (remembered; default: the host's name)")
	cmd.Flags().StringArrayVar(&f.peers, "peer", nil, "a device to dial, `HOST:PORT[,KEY]` (repeatable, remembered)")
	cmd.Flags().StringVar(&f.iface, "interface", "", "interface `NAME` for beacons; this version sends none and dials --peer and pair --peer addresses")
	cmd.Flags().IntVar(&f.beaconPort, "beacon-port", 5670, "ZRE discovery port `N`; this version sends no beacons")
	cmd.Flags().StringVar(&f.ui, "ui", "off", "`HOST:PORT` of the web page; this version has none")
}

// settle reads the settings, changes what the flags say, and fills in what was
// never said. Nothing is written: flags that turn out not to work are forgotten.
func (p *program) settle(f deviceFlags) (settings, error) {
	s, err := p.readSettings()
	if err != nil {
		return s, err
	}
	override(&s.Name, f.name)
	if s.Name == "" {
		s.Name = hostName()
	}
	if _, err := security.ParseDeviceName(s.Name); err != nil {
		return s, failed(exitUsage, err, "choose another with --name")
	}
	if f.listen != "" && f.listen != s.Listen {
		s.Listen, s.Transfer = f.listen, ""
	}
	override(&s.Transfer, f.transfer)
	for _, peer := range f.peers {
		if !slices.Contains(s.Peers, peer) {
			s.Peers = append(s.Peers, peer)
		}
	}
	return s, nil
}

// remember settles, and writes it down where that changes anything.
func (p *program) remember(f deviceFlags) (settings, error) {
	before, err := p.readSettings()
	if err != nil {
		return before, err
	}
	s, err := p.settle(f)
	if err != nil || s.Name == before.Name && s.Listen == before.Listen && s.Transfer == before.Transfer && slices.Equal(s.Peers, before.Peers) {
		return s, err
	}
	return s, p.writeSettings(s)
}

func override(field *string, value string) {
	if value != "" {
		*field = value
	}
}

func (p *program) readSettings() (s settings, err error) {
	data, err := os.ReadFile(p.home().config())
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = toml.Unmarshal(data, &s)
	}
	return s, failed(exitFailed, wrap(err, p.home().config()), "mend the file, or remove it to start with the defaults")
}

func (p *program) writeSettings(s settings) error {
	data, err := toml.Marshal(s)
	if err == nil {
		err = renameio.WriteFile(p.home().config(), data, 0o600)
	}
	return failed(exitFailed, wrap(err, p.home().config()), "")
}

func wrap(err error, where string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", where, err)
}

// hostName is the host name's first label.
func hostName() string {
	name, err := os.Hostname()
	if name, _, _ = strings.Cut(name, "."); err != nil || name == "" {
		return "device"
	}
	return name
}

// endpoint turns HOST:PORT into what a socket binds; no host is all interfaces.
func endpoint(address string) (string, error) {
	if address == "" {
		return "tcp://*:*", nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", failedf(exitUsage, "for example --listen 127.0.0.1:7001", "%q is not HOST:PORT", address)
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "*"
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == "0" {
		port = "*"
	}
	return "tcp://" + host + ":" + port, nil
}

// sameHost returns an address on the host of another, at a free port.
func sameHost(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return net.JoinHostPort(host, "0")
}
