package kind

import (
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
)

// What a person is told to call next is about this cluster, whatever its name.
func TestNextCommandsNameTheCluster(t *testing.T) {
	for name, flags := range map[string]string{"": "--target kind", cluster.DefaultName: "--target kind", "other": "--target kind --cluster other"} {
		lab, err := New(Options{Name: name, Inspect: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range lab.summary("up", "password").Next {
			if !strings.HasSuffix(step.Command, " "+flags) {
				t.Errorf("the cluster %q: %s, want %s", name, step.Command, flags)
			}
		}
	}
}
