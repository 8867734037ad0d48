package command

import (
	"runtime/debug"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
)

func TestVersion(t *testing.T) {
	for _, c := range []struct {
		name      string
		info      debug.BuildInfo
		want      string
		published bool
	}{
		{"installed", debug.BuildInfo{Main: debug.Module{Path: checkout.Module, Version: "v1.2.3"}}, "v1.2.3", true},
		{"installed of a commit", debug.BuildInfo{Main: debug.Module{Path: checkout.Module, Version: "v0.0.0-20261125204102-af6b28c0ffee"}}, "v0.0.0-20261125204102-af6b28c0ffee", true},
		{"built from edited files", debug.BuildInfo{Main: debug.Module{Path: checkout.Module, Version: "v0.0.0-20261125204102-af6b28c0ffee+dirty"}}, "v0.0.0-20261125204102-af6b28c0ffee+dirty", false},
		{"built without git", debug.BuildInfo{Main: debug.Module{Path: checkout.Module, Version: "(devel)"}}, "(devel)", false},
		{"a test", debug.BuildInfo{Main: debug.Module{Path: checkout.Module}}, "(devel)", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := version(&c.info)
			if got != c.want || IsPublished(got) != c.published {
				t.Errorf("the version is %q, published %v; want %q, %v", got, IsPublished(got), c.want, c.published)
			}
		})
	}
}
