package manifests

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Alloy's limits fit its pod. Alloy refuses data shortly before the kernel would kill it for
// its memory, and its queues nearly fill the volume, but never overfill it.
func TestCollectorFitsItsPod(t *testing.T) {
	config, err := os.ReadFile(filepath.Join(checkout, "config", "alloy", "config.alloy"))
	if err != nil {
		t.Fatal(err)
	}
	queues := float64(strings.Count(string(config), `sys.env("LAB_QUEUE_BYTES")`))
	if queues != 3 {
		t.Fatalf("%v queues of config.alloy have their size from the environment, want 3", queues)
	}
	forEach(t, func(t *testing.T, l *lab) {
		w := l.workload(t, "observability/alloy")
		c := w.template.Spec.Containers[0]
		limit := c.Resources.Limits.Memory().Value()
		goLimit, hard := mebibytes(t, env(c, "GOMEMLIMIT")), mebibytes(t, env(c, "LAB_MEMORY_LIMIT"))
		refuses := hard - mebibytes(t, env(c, "LAB_MEMORY_SPIKE"))
		if hard >= goLimit {
			t.Errorf("LAB_MEMORY_LIMIT is %d bytes, GOMEMLIMIT %d: Go would collect all the time before Alloy refuses", hard, goLimit)
		}
		if share := float64(refuses) / float64(limit); share < 0.55 || share > 0.75 {
			t.Errorf("Alloy refuses at %d bytes of %d: %.0f %%, want 55 to 75", refuses, limit, share*100)
		}
		size, err := strconv.ParseFloat(env(c, "LAB_QUEUE_BYTES"), 64)
		if err != nil {
			t.Fatal(err)
		}
		volume := float64(w.claims[0].Spec.Resources.Requests.Storage().Value())
		// A start copies each queue's file once.
		if share := 2 * queues * size / volume; share < 0.75 || share > 0.92 {
			t.Errorf("the queues and their copies are %.0f %% of the volume, want 75 to 92", share*100)
		}
	})
}
