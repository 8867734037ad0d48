package bench

import (
	"fmt"

	"github.com/shirou/gopsutil/v4/process"
)

// group is a process with all that it has started, under one name.
type group struct {
	name string
	pid  int
}

// usage is what a group has used.
type usage struct {
	processor float64 // seconds, user and system, since the group's start
	memory    float64 // bytes, resident
}

// measure reads what the processes of the group have used. Linux counts processor time in
// hundredths of a second, so measure over seconds.
func (g group) measure() (usage, error) {
	root, err := process.NewProcessWithContext(thisMachine, int32(g.pid))
	if err != nil {
		return usage{}, fmt.Errorf("%s, process %d: %w", g.name, g.pid, err)
	}
	var sum usage
	for _, p := range append(descendants(root), root) {
		times, err := p.TimesWithContext(thisMachine)
		if err != nil {
			continue // it has just ended
		}
		sum.processor += times.User + times.System
		if memory, err := p.MemoryInfoWithContext(thisMachine); err == nil {
			sum.memory += float64(memory.RSS)
		}
	}
	return sum, nil
}

func descendants(p *process.Process) []*process.Process {
	children, err := p.ChildrenWithContext(thisMachine)
	if err != nil {
		return nil // there are none
	}
	all := children
	for _, c := range children {
		all = append(all, descendants(c)...)
	}
	return all
}

// measureAll measures every group.
func measureAll(groups []group) (map[string]usage, error) {
	all := map[string]usage{}
	for _, g := range groups {
		u, err := g.measure()
		if err != nil {
			return nil, err
		}
		all[g.name] = u
	}
	return all, nil
}

// processorBetween is the processor time that all groups have used between two measurements.
func processorBetween(before, after map[string]usage) float64 {
	var sum float64
	for name, u := range after {
		sum += u.processor - before[name].processor
	}
	return sum
}

// memoryOf is the memory of all groups.
func memoryOf(all map[string]usage) float64 {
	var sum float64
	for _, u := range all {
		sum += u.memory
	}
	return sum
}
