package zeromq

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// BenchmarkTransfer moves data frames through CURVE with a window of 8 MiB. Both
// ends are in this process: CPU-s/GiB is what they spend together.
func BenchmarkTransfer(b *testing.B) {
	for _, kib := range []int{64, 256, 1024} {
		for _, way := range []string{"copied", "pooled"} {
			b.Run(fmt.Sprintf("%dKiB/%s", kib, way), func(b *testing.B) {
				transfer(b, kib<<10, way == "copied")
			})
		}
	}
}

func transfer(b *testing.B, size int, copied bool) {
	server, client := acquainted(b, func(c *Config) {
		c.Multipart, c.MessageBytesMax, c.copies = false, largeBytes, copied
	})
	conn := client.call(server)
	client.say(conn, "begin")
	server.expect("begin")
	frame := make([]byte, size)
	b.SetBytes(int64(size))
	b.ResetTimer()
	began := cpu(b)
	sent, window := 0, (8<<20)/size
	for received := 0; received < b.N; {
		var o Orders
		for ; sent < b.N && sent < received+window; sent++ {
			o.Send = append(o.Send, Send{Conn: conn, Frames: [][]byte{frame}})
		}
		client.Do(o)
		for _, f := range <-server.Facts() {
			received++
			server.Recycle(f.Frames[0])
		}
	}
	spent := cpu(b) - began
	b.ReportMetric(spent.Seconds()/float64(b.N)/float64(size)*(1<<30), "CPU-s/GiB")
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
