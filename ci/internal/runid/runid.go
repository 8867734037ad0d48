// Package runid names the id that tells the telemetry of one run of an application from
// that of another run.
package runid

import (
	"crypto/rand"
	"encoding/hex"
)

const (
	// Attribute is the resource attribute that has the id.
	Attribute = "lab.run.id"
	// Label is the attribute's name in Loki and in Mimir, which take no dots.
	Label = "lab_run_id"
)

// New returns an id: 16 random hexadecimal digits.
func New() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
