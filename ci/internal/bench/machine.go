package bench

import (
	"context"
	"fmt"
	"runtime"

	"github.com/shirou/gopsutil/v4/common"
	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
)

// thisMachine asks about this machine, though HOST_PROC may be exported for a monitoring
// agent.
var thisMachine = context.WithValue(context.Background(), common.EnvKey, common.EnvMap{common.HostProcEnvKey: "/proc"})

// Machine is where figures were measured. Times and rates of another machine say nothing
// about this one; ratios mostly do.
type Machine struct {
	// Processor is the model's name.
	Processor string `json:"processor"`
	// Cores are the logical ones that this program may use.
	Cores int `json:"cores"`
	// MemoryBytes is the memory installed.
	MemoryBytes uint64 `json:"memory_bytes"`
	// System is the operating system with its version, and the kernel's.
	System string `json:"system"`
	// Go is the version of the compiler.
	Go string `json:"go"`
}

// thisOne describes this machine. What the system does not tell is left empty.
func thisOne() Machine {
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version(), System: runtime.GOOS}
	if all, err := cpu.InfoWithContext(thisMachine); err == nil && len(all) > 0 {
		m.Processor = all[0].ModelName
	}
	if memory, err := mem.VirtualMemoryWithContext(thisMachine); err == nil {
		m.MemoryBytes = memory.Total
	}
	if info, err := host.InfoWithContext(thisMachine); err == nil {
		m.System = fmt.Sprintf("%s %s, kernel %s", info.Platform, info.PlatformVersion, info.KernelVersion)
	}
	return m
}

// loadAverage is how many processes ran or waited for a core over the last minute; 0 where
// the system does not say.
func loadAverage() float64 {
	avg, err := load.AvgWithContext(thisMachine)
	if err != nil {
		return 0
	}
	return avg.Load1
}
