package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/stack"
)

// Each program accepts its configuration with the defaults, which are those of a cluster.
func TestConfigurationIsValid(t *testing.T) {
	needStack(t)
	lock, err := images.Load(filepath.Join(root, "config", "images.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := stack.New(stack.Config{Root: root, Images: lock})
	if err != nil {
		t.Fatal(err)
	}
	set, err := s.Resolve(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, program string
		args          []string
	}{
		{"loki", "loki", []string{"-verify-config", "-config.expand-env=true", "-config.file=loki/loki.yaml"}},
		{"tempo", "tempo", []string{"-config.verify=true", "-config.expand-env=true", "-config.file=tempo/tempo.yaml"}},
		{"mimir", "mimir", []string{"-modules", "-config.expand-env=true", "-config.file=mimir/mimir.yaml"}},
		{"alloy", "alloy", []string{"validate", "--stability.level=experimental", "alloy/config.alloy"}},
		{"alloy in a cluster", "alloy", []string{"validate", "--stability.level=experimental", "alloy"}},
		{"alloy is formatted", "alloy", []string{"fmt", "-t", "alloy/config.alloy"}},
		{"alloy's receiver is formatted", "alloy", []string{"fmt", "-t", "alloy/open.alloy"}},
		{"alloy's closed receiver is formatted", "alloy", []string{"fmt", "-t", "alloy/closed.alloy"}},
		{"alloy in a cluster is formatted", "alloy", []string{"fmt", "-t", "alloy/kubernetes.alloy"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, ok := set.Program(test.program)
			if !ok {
				t.Fatalf("no %s", test.program)
			}
			path, args := p.Command()
			cmd := exec.Command(path, append(args, test.args...)...)
			cmd.Dir = filepath.Join(root, "config")
			// The programs want writable data folders even to check a file.
			dir := t.TempDir()
			cmd.Env = append(os.Environ(), "LOKI_DATA="+dir, "TEMPO_DATA="+dir, "MIMIR_DATA="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %v\n%s", cmd.Args, err, out)
			}
		})
	}
}
