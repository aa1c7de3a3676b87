package zeromq

/*
#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>

static void zsync_keep_pages(int largest, int kept) {
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, largest);
	mallopt(M_TRIM_THRESHOLD, kept);
}
static void zsync_give_pages(void) { malloc_trim(0); }
#else
static void zsync_keep_pages(int largest, int kept) {}
static void zsync_give_pages(void) {}
#endif
*/
import "C"

const (
	// mappedBytesMin is above every message that libzmq makes here.
	mappedBytesMin = 4 << 20
	// keptBytesMax is what the C library keeps of memory that was given back: more
	// than the messages that are under way at one time.
	keptBytesMax = 64 << 20
)

// keepPages has the C library reuse the memory of messages. As it comes, glibc gives
// the pages of each larger message back to the system and takes fresh ones for the
// next, and every thread has memory of its own: page faults were a twelfth of the CPU
// time of a transfer. What this sets holds for the process; setting it again changes
// nothing. Other C libraries are left as they are.
func keepPages() { C.zsync_keep_pages(mappedBytesMin, keptBytesMax) }

// GiveBack has the C library give the pages that no message lies in to the system:
// what [NewContext] has it keep is for a transfer, not for the days after it.
func GiveBack() { C.zsync_give_pages() }
