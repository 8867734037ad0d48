package manifests

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// inCluster matches a command of a runbook that names a workload, or its first pod.
var inCluster = regexp.MustCompile("kubectl -n ([a-z]+) [a-z ]*?(?:(statefulset|deployment|pod|logs) )([a-z0-9-]+)")

// The commands in the runbooks name workloads that exist.
func TestRunbookCommands(t *testing.T) {
	pages, err := filepath.Glob("../../../docs/runbooks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	forEach(t, func(t *testing.T, l *lab) {
		commands := 0
		for _, page := range pages {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range inCluster.FindAllStringSubmatch(string(text), -1) {
				commands++
				namespace, kind, name := m[1], m[2], m[3]
				if pod, first := strings.CutSuffix(name, "-0"); first {
					kind, name = "statefulset", pod
				}
				if w := l.workload(t, namespace+"/"+name); !strings.EqualFold(w.kind, kind) {
					t.Errorf("%s: %q: it is a %s", filepath.Base(page), m[0], w.kind)
				}
			}
		}
		if commands < 6 {
			t.Errorf("found %d commands, and there are more", commands)
		}
	})
}
