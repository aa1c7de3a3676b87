package bolt

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// gauge reads what the kernel counts of this process. The zero gauge reads nothing.
type gauge struct{ statm *os.File }

func openGauge() gauge {
	statm, err := os.Open("/proc/self/statm")
	if err != nil {
		return gauge{} // where there is no /proc, nobody looks at it either
	}
	return gauge{statm}
}

// octets returns how many octets of files are mapped in; 0 where that is not known.
func (g gauge) octets() int {
	if g.statm == nil {
		return 0
	}
	var text [128]byte
	n, _ := g.statm.ReadAt(text[:], 0)
	fields := bytes.Fields(text[:n]) // all, resident, of files, …; in pages
	if len(fields) < 3 {
		return 0
	}
	pages, _ := strconv.Atoi(string(fields[2]))
	return pages * os.Getpagesize()
}

func (g gauge) close() {
	if g.statm != nil {
		_ = g.statm.Close() // it was only read
	}
}

// release takes the mapping that begins at an address, which is only read, out of the
// process. The file and the page cache keep what is in it; that it fails does no harm.
// How long it is the kernel says: what lies behind it is others' memory.
func release(address uintptr) {
	if size := mappedFrom(address); size > 0 {
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, address, size, syscall.MADV_DONTNEED)
	}
}

// mappedFrom returns how many octets the mapping of a file that begins at an address
// has; 0 where there is none that is shared and only read.
func mappedFrom(address uintptr) uintptr {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return 0
	}
	defer maps.Close()
	begin := strconv.FormatUint(uint64(address), 16) + "-"
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		if text, found := strings.CutPrefix(lines.Text(), begin); found { // "END r--s …"
			end, rest, _ := strings.Cut(text, " ")
			last, err := strconv.ParseUint(end, 16, 64)
			if err != nil || !strings.HasPrefix(rest, "r--s ") {
				return 0
			}
			return uintptr(last) - address
		}
	}
	return 0
}
