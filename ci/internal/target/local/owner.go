package local

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/shirou/gopsutil/v4/process"
)

// Attach makes this program the one that looks after the lab, unless another
// that still runs does: then it returns that one's process. A lab has an owner so
// that two programs do not both report, and stop, the same processes.
func (l *Lab) Attach() (owner int) {
	name := filepath.Join(l.layout.dir, "owner")
	if raw, err := os.ReadFile(name); err == nil {
		var o Process
		if json.Unmarshal(raw, &o) == nil && o.PID != os.Getpid() && o.alive() {
			return o.PID
		}
	}
	me := Process{Name: "lab", PID: os.Getpid()}
	me.Path, _ = os.Executable()
	if proc, err := process.NewProcess(int32(me.PID)); err == nil {
		me.Created, _ = proc.CreateTime()
	}
	if raw, err := json.Marshal(me); err == nil {
		_ = os.WriteFile(name, raw, 0o644)
	}
	return 0
}
