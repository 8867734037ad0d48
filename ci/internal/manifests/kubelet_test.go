package manifests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Alloy checks the kubelets' certificates against the cluster's authority unless it is told
// not to. It is told so on Kind, whose kubelets sign their own certificates, and by a setting
// on a cluster of the user's own.
func TestKubeletsAreVerified(t *testing.T) {
	config, err := os.ReadFile(filepath.Join(checkout, "config", "alloy", "kubernetes.alloy"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(config)) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{
		`ca_file = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"`,
		`insecure_skip_verify = sys.env("LAB_KUBELET_VERIFY") == "false"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("kubernetes.alloy has no line %s", want)
		}
	}
	if n := strings.Count(text, "insecure_skip_verify"); n != 1 {
		t.Errorf("kubernetes.alloy has %d lines with insecure_skip_verify, want 1", n)
	}
	for name, test := range map[string]struct {
		l    *lab
		want string
	}{
		"kind":                {buildVariant(t, "kind"), "false"},
		"production":          {buildVariant(t, "production"), "true"},
		"production, told so": {build(t, withSettings(t, "LAB_KUBELET_VERIFY=false"), productionOptions()), "false"},
	} {
		if have := settingOf(test.l, test.l.workload(t, "observability/alloy").template.Spec.Containers[0], "LAB_KUBELET_VERIFY"); have != test.want {
			t.Errorf("%s: LAB_KUBELET_VERIFY is %q, want %q", name, have, test.want)
		}
	}
}
