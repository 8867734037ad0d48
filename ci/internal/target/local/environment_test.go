package local

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// A variable that a shell exports reaches no component, unless it says where things are.
func TestExportedVariablesStayOutside(t *testing.T) {
	for _, name := range []string{"TEMPO_OBJECT_STORE", "JAEGER_AGENT_HOST", "SHUTDOWN_DELAY", "OTEL_SDK_DISABLED", "GOGC", "GOMAXPROCS", "GODEBUG",
		"LAB_LOG_LEVEL", "LOKI_OBJECT_STORE", "GF_SERVER_ROOT_URL", "HTTP_PROXY", "AWS_PROFILE", "LGTM_LAB_ID", "DATABASE_URL", "POD_NAME"} {
		t.Setenv(name, "from outside")
	}
	t.Setenv("HOST_PROC", t.TempDir()) // where gopsutil would look for processes
	l, _ := testLab(t)
	state, _ := up(t, l)
	log, err := os.ReadFile(l.layout.log("tempo"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), "from outside") || strings.Contains(string(log), "HOST_PROC") {
		t.Errorf("Tempo's environment: %s", log)
	}
	for _, want := range []string{"TEMPO_DATA=data/tempo", "LGTM_LAB_ID=" + l.folder.ID, "TMPDIR=tmp/tempo"} {
		if !strings.Contains(string(log), want) {
			t.Errorf("Tempo's environment has no %s: %s", want, log)
		}
	}
	if n := len(left(l)); n != len(state.Processes) {
		t.Errorf("with HOST_PROC set, %d processes are recognised, want %d", n, len(state.Processes))
	}
}

func TestPassedOn(t *testing.T) {
	all := []string{"PATH=/bin", "Path=C:\\bin", "SystemRoot=C:\\Windows", "HOME=/root", "OTEL_SDK_DISABLED=true", "=C:=C:\\", ""}
	for system, want := range map[string][]string{
		"linux":   {"PATH=/bin", "HOME=/root"},
		"windows": {"PATH=/bin", "Path=C:\\bin", "SystemRoot=C:\\Windows"},
	} {
		if got := passedOn(system, all); !slices.Equal(got, want) {
			t.Errorf("on %s %q is passed, want %q", system, got, want)
		}
	}
}
