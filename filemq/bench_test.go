package filemq

import "testing"

// BenchmarkCodec makes and reads the frames that there are most of: a full bundle of
// small files, and the request for as many.
func BenchmarkCodec(b *testing.B) {
	data := make([]byte, 4<<10)
	bukkit, gimme := Bukkit{Req: 1}, Gimme{Req: 1}
	for i := range uint16(bundleItemsMax) {
		bukkit.Items = append(bukkit.Items, BukkitItem{Index: i, Data: data})
		gimme.Items = append(gimme.Items, Item{Hash: hashA, Size: uint32(len(data))})
	}
	for name, command := range map[string]Command{"bukkit": bukkit, "gimme": gimme} {
		frame := Encode(command)
		b.Run("encode/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(frame)))
			for b.Loop() {
				Encode(command)
			}
		})
		b.Run("decode/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(frame)))
			for b.Loop() {
				if _, err := Decode(frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLedger is the credit of one item of 4 KiB, at both ends: granted, earned,
// reserved, spent, received and disposed of.
func BenchmarkLedger(b *testing.B) {
	w, p := window{size: 8 << 20}, purse{limit: 16 << 20}
	cost := costOf(4 << 10)
	for b.Loop() {
		if credit := w.owed(); credit > 0 {
			if err := p.earn(w.grant(credit)); err != nil {
				b.Fatal(err)
			}
		}
		if !p.reserve(cost) {
			b.Fatal("no credit")
		}
		p.spend(cost)
		if !w.receive(cost) {
			b.Fatal("more than was granted")
		}
		w.dispose(cost)
	}
}
