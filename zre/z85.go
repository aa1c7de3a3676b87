package zre

import (
	"encoding/binary"

	"github.com/zsync/zsync"
)

const z85Alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"

// z85 returns a key in the text form of 32/Z85, 40 characters: five digits to
// the base of 85 for each four octets.
func z85(key zsync.Key) string {
	text := make([]byte, 0, len(key)/4*5)
	for at := 0; at < len(key); at += 4 {
		value := binary.BigEndian.Uint32(key[at:])
		for divisor := uint32(85 * 85 * 85 * 85); divisor > 0; divisor /= 85 {
			text = append(text, z85Alphabet[value/divisor%85])
		}
	}
	return string(text)
}
