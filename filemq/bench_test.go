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
