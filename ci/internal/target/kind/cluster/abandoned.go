package cluster

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
)

// temporaryPrefix is the beginning of a temporary cluster's name.
const temporaryPrefix = "lgtm-lab-temporary-"

// TemporaryName returns a name for a cluster that is deleted by the program that makes it. Its
// end is random, so that two of them can exist at a time.
func TemporaryName() string { return temporaryPrefix + strings.ToLower(rand.Text()[:6]) }

// DeleteAbandoned deletes the temporary clusters of runs that were killed, and says so. It
// does nothing about a runtime that does not answer: the preflight reports it.
func DeleteAbandoned(ctx context.Context, say func(line string)) {
	names, err := New(Config{Progress: say}).Abandoned(ctx, temporaryPrefix)
	if err != nil {
		return
	}
	for _, name := range names {
		say("deleting the cluster " + name + ", which a killed run has left")
		if err := New(Config{Name: name, Progress: say}).Delete(ctx); err != nil {
			say(err.Error())
		}
	}
}

// keptMarker is a file in the control-plane node of a cluster that a person may look at.
const keptMarker = "/kind/lgtm-lab-kept"

// Keep marks the cluster, so that [Cluster.Abandoned] does not count it although no caller
// is at work on it.
func (c *Cluster) Keep(ctx context.Context) error {
	_, err := c.docker(ctx, nil, "exec", c.controlPlane(), "touch", keptMarker)
	return err
}

// Abandoned returns the names of the clusters that killed runs have left: those that begin
// with the prefix, on which no caller is at work, and which [Cluster.Keep] has not marked.
func (c *Cluster) Abandoned(ctx context.Context, prefix string) ([]string, error) {
	out, err := c.docker(ctx, nil, "ps", "-a", "--filter", "label="+clusterLabel, "--format", `{{.Label "`+clusterLabel+`"}}`)
	if err != nil {
		return nil, err
	}
	names := strings.Fields(string(out))
	slices.Sort(names)
	var abandoned []string
	for _, name := range slices.Compact(names) {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		other := *New(Config{Name: name, Progress: c.Progress})
		other.docker = c.docker
		guarded, err := other.Guarded(ctx)
		if err != nil {
			return nil, err
		}
		if !guarded && !other.has(ctx, keptMarker) {
			abandoned = append(abandoned, name)
		}
	}
	return abandoned, nil
}
