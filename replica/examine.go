package replica

import (
	"fmt"

	"github.com/zsync/zsync/internal/kv"
)

// Examine reads every record of a Replica's state, and returns an error where one is
// not what was written.
func Examine(tx kv.Tx) (err error) {
	tx.Scan(bucketNodes, nil, func(key, value []byte) bool {
		if _, err = decodeRecord(value); err != nil {
			err = fmt.Errorf("replica: node %x: %w", key, err)
		}
		return err == nil
	})
	tx.Scan(bucketDisk, nil, func(key, value []byte) bool {
		if err == nil {
			if _, err = decodeOnDisk(key, value); err != nil {
				err = fmt.Errorf("replica: disk record %x: %w", key, err)
			}
		}
		return err == nil
	})
	intents(tx)
	if err == nil {
		_, err = openBrake(tx)
	}
	if err == nil {
		err = tx.Err()
	}
	return err
}
