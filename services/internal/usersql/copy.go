package usersql

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"

	"github.com/uptrace/bun"
)

// batch is how many rows are read or written at a time.
const batch = 1000

// Sum is a checksum of all users, in the order of their ids.
type Sum struct {
	// Users is their number.
	Users int64
	hash  hash.Hash
}

// NewSum returns the sum of no users.
func NewSum() *Sum { return &Sum{hash: sha256.New()} }

// Add adds rows.
func (s *Sum) Add(rows []Row) {
	for _, r := range rows {
		// Each text with its length, so that no two rows look the same.
		fmt.Fprintf(s.hash, "%d %d %q %q %q\n", r.ID, r.CreatedAt.Unix(), r.Name, r.Email, r.EmailKey)
	}
	s.Users += int64(len(rows))
}

// String returns the checksum, which is the same in each database.
func (s *Sum) String() string { return hex.EncodeToString(s.hash.Sum(nil)) }

// Each calls f with all rows in the order of their ids, some at a time.
func Each(ctx context.Context, db bun.IDB, f func([]Row) error) error {
	for after := int64(0); ; {
		var rows []Row
		if err := db.NewSelect().Model(&rows).Where("id > ?", after).Order("id").Limit(batch).Scan(ctx); err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		if err := f(rows); err != nil {
			return err
		}
		after = rows[len(rows)-1].ID
	}
}
