package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Resolve finds, fetches or compiles every program, one after the other, as the
// mode says. Grafana alone may be missing afterwards; then Set.Hint says how to
// get it. A cancelled ctx ends everything that was started. Finished programs
// stay, and the next Resolve goes on from there.
func (s *Stack) Resolve(ctx context.Context) (Set, error) {
	c := &choice{Stack: s, set: Set{programs: map[string]Program{}}}
	var missing []spec
	var absent []error
	for _, sp := range s.specs {
		p, err := c.have(ctx, sp)
		switch {
		case err == nil:
			c.took(p, "")
		case ctx.Err() != nil:
			return Set{}, context.Cause(ctx)
		case s.cfg.Mode != Path:
			missing = append(missing, sp)
		case sp.optional:
			c.hint(sp, err)
		default:
			absent = append(absent, err)
		}
	}
	if len(absent) > 0 {
		return Set{}, fmt.Errorf("stack: %w", errors.Join(absent...))
	}
	for _, sp := range missing {
		p, why, err := c.get(ctx, sp)
		switch {
		case err == nil:
			c.took(p, why)
		case ctx.Err() != nil:
			s.report(Event{Program: sp.name, Phase: PhaseFailed, Err: err})
			return Set{}, err
		case sp.optional:
			c.hint(sp, err)
		default:
			s.report(Event{Program: sp.name, Phase: PhaseFailed, Err: err})
			return Set{}, fmt.Errorf("stack: %w", err)
		}
	}
	c.set.Reason = c.reason()
	return c.set, nil
}

// Missing names the programs that are not on this machine yet, Grafana aside: for
// those, [Stack.Resolve] would fetch or compile. It takes milliseconds.
func (s *Stack) Missing(ctx context.Context) []string {
	c := &choice{Stack: s}
	var names []string
	for _, sp := range s.specs {
		if _, err := c.have(ctx, sp); err != nil && !sp.optional {
			names = append(names, sp.name)
		}
	}
	return names
}

// choice is one Resolve.
type choice struct {
	*Stack
	set   Set
	taken []taken
	ready int // programs that were there before
	// registry is the answer of the one probe, once asked is true.
	asked    bool
	registry error
}

// taken is a program with the reason for where it came from.
type taken struct {
	Program
	why string
}

func (c *choice) took(p Program, why string) {
	c.set.programs[p.Name] = p
	c.taken = append(c.taken, taken{p, why})
}

// have returns a program that is here already. If there is an obstacle to getting one,
// like a missing go command, get reports it.
func (c *choice) have(ctx context.Context, sp spec) (Program, error) {
	mode := c.cfg.Mode
	if mode == Auto || mode == Path {
		if p, err := c.onPath(ctx, sp); err == nil || mode == Path {
			return p, err
		}
	}
	if mode == Auto || mode == Images {
		if p, err := c.unpacked(sp); err == nil {
			c.ready++
			return p, nil
		}
	}
	if mode == Auto || mode == Source {
		if p, err := c.compiled(ctx, sp); err == nil {
			c.ready++
			return p, nil
		}
	}
	return Program{}, errAbsent
}

// get fetches or compiles a program that is not here; why is the reason for the
// one or the other.
func (c *choice) get(ctx context.Context, sp spec) (p Program, why string, err error) {
	if c.cfg.Mode != Source {
		img, file, err := c.archiveOf(sp)
		if err != nil {
			return Program{}, "", err
		}
		if file != "" {
			p, err := c.fromArchive(ctx, sp, img, file)
			return p, "from " + c.cfg.Archives, err
		}
	}
	if c.cfg.Mode == Images {
		p, err = c.pull(ctx, sp)
		return p, "", err
	}
	if c.cfg.Mode == Source {
		p, err = c.compile(ctx, sp)
		return p, "", err
	}
	if err := c.registryAnswers(ctx, sp); err != nil {
		if sp.optional {
			return Program{}, "", err
		}
		p, sourceErr := c.compile(ctx, sp)
		if errors.Is(sourceErr, errNoSources) {
			sourceErr = fmt.Errorf("%w; %w", err, sourceErr)
		}
		return p, err.Error(), sourceErr
	}
	p, err = c.pull(ctx, sp)
	if err == nil || sp.optional || ctx.Err() != nil {
		return p, "the registry answers", err
	}
	// The registry has the image, and what has arrived is kept. A compile instead
	// takes a quarter of an hour: that is for the person to choose.
	if _, ok := errors.AsType[*downloadError](err); ok {
		return p, "", fmt.Errorf("%w\nCall it again to go on where the download stopped, or with --stack source to compile instead (about a quarter of an hour)", err)
	}
	c.report(Event{Program: sp.name, Phase: PhaseFailed, Err: err})
	p, sourceErr := c.compile(ctx, sp)
	if sourceErr != nil {
		return p, "", fmt.Errorf("%w\n(and before that: %w)", sourceErr, err)
	}
	return p, fmt.Sprintf("the image failed: %v", err), nil
}

// probeMemory is how long a registry that did not answer is not asked again just
// for the optional Grafana: a lab that is otherwise ready should not wait for a
// timeout at every start.
const probeMemory = time.Hour

// registryAnswers probes the registry, once per Resolve.
func (c *choice) registryAnswers(ctx context.Context, sp spec) error {
	if c.goos != "linux" {
		return fmt.Errorf("the images are for linux, and this is %s", c.goos)
	}
	if c.asked {
		return c.registry
	}
	memory := filepath.Join(c.cfg.Cache, "registry-silent")
	if info, err := os.Stat(memory); err == nil && sp.optional && time.Since(info.ModTime()) < probeMemory {
		return errors.New("registry did not answer lately")
	}
	img, err := c.cfg.Images.Get(sp.name)
	if err == nil {
		err = c.probe(ctx, img)
	}
	if c.asked = true; err != nil && ctx.Err() == nil {
		c.registry = fmt.Errorf("registry not reachable: %s", oneLine(err))
		if os.MkdirAll(c.cfg.Cache, 0o755) == nil {
			_ = os.WriteFile(memory, []byte(c.registry.Error()+"\n"), 0o644)
		}
		return c.registry
	}
	_ = os.Remove(memory)
	return ctx.Err()
}

// hint says how to get an optional program.
func (c *choice) hint(sp spec, err error) {
	versions := strings.Join(c.versions(sp), " or ")
	how := fmt.Sprintf("put %s %s on PATH", sp.name, versions)
	if c.goos == "linux" && c.cfg.Mode != Images {
		how += ", or use --stack images where a registry is reachable"
	}
	why := ""
	if c.cfg.Mode != Path && c.cfg.Mode != Source {
		why = fmt.Sprintf(" (%s)", oneLine(err))
	}
	c.set.Hint = fmt.Sprintf("no %s here%s: %s", sp.name, why, how)
}

// reason sums up where the programs came from, alike ones together.
func (c *choice) reason() string {
	type origin struct {
		source Mode
		why    string
	}
	var order []origin
	names := map[origin][]string{}
	for _, t := range c.taken {
		o := origin{t.Source, t.why}
		if !slices.Contains(order, o) {
			order = append(order, o)
		}
		names[o] = append(names[o], t.Name)
	}
	var parts []string
	for _, o := range order {
		part := string(o.source)
		if len(order) > 1 {
			part += " for " + strings.Join(names[o], ", ")
		}
		if o.why != "" {
			part += " (" + o.why + ")"
		}
		parts = append(parts, part)
	}
	line := "stack: " + strings.Join(parts, "; ")
	var lean []string
	for _, t := range c.taken {
		if t.Lean {
			lean = append(lean, t.Name)
		}
	}
	if len(lean) > 0 {
		line += fmt.Sprintf("; lean, with what the lab runs: %s (`lab stack build --full` compiles the rest)", strings.Join(lean, ", "))
	}
	if c.ready > 0 {
		line += fmt.Sprintf("; %d of %d were there already", c.ready, len(c.taken))
	}
	return line
}

// oneLine is an error's message without line breaks and not longer than a line.
func oneLine(err error) string {
	msg := strings.Join(strings.Fields(err.Error()), " ")
	if r := []rune(msg); len(r) > 160 {
		msg = string(r[:159]) + "…"
	}
	return msg
}
