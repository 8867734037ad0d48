package local

import (
	"strings"
	"testing"
)

func TestOpenFilesWarning(t *testing.T) {
	for _, limit := range []uint64{0, fewFiles, 1 << 40} {
		if got := openFilesWarning(limit); got != "" {
			t.Errorf("a limit of %d: %s", limit, got)
		}
	}
	if got := openFilesWarning(256); !strings.Contains(got, "256") || !strings.Contains(got, "ulimit -n") {
		t.Errorf("a limit of 256: %q", got)
	}
}
