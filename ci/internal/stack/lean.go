package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// lean says what is left out of a program when it is compiled lean: parts that the lab
// never runs, and that take most of the compiler's time. What stays is upstream's,
// unchanged.
//
// Loki, Tempo and Mimir are under the AGPL, and the lab runs them as their authors wrote
// them: their lean forms have build tags, and nothing else.
type lean struct {
	// tags are build tags that the program's own libraries offer.
	tags []string
	// list is, if not "", upstream's Go file that imports the package of each component. The lean
	// program gets one that imports the packages of the components that the lab has a use
	// for (see components), and no others.
	list string
	// edits change single lines of upstream's files.
	edits []edit
	// more are components that the lab's configuration does not name.
	more []string
}

// An edit puts a new text in the place of one that a file of upstream has exactly once.
// Where upstream has changed that text, the compile fails and names the edit.
type edit struct {
	file     string // below the module's root, with slashes
	old, new string
}

// replacements is the folder next to a pin's go.mod with the files that take the place of
// upstream's: those that have the same path below the module's root. It begins with an
// underscore, so that the go command sees no package of ours in it.
const replacements = "_lean"

// leanStorage leaves out of Loki, Tempo and Mimir how gRPC finds the shortest way to
// Google's storage ("direct path"): 130 packages, most of them Envoy's API. The lab uses the
// file system and S3. Of what Loki needs of Envoy's API for other reasons, it leaves out
// functions that check messages, which no package calls.
func leanStorage() *lean { return &lean{tags: []string{"disable_grpc_modules", "disable_pgv"}} }

// leanAlloy leaves out what makes Alloy the largest of the programs: 180 components, of
// which the lab loads some twenty, the converters from other programs' configurations,
// with all that these need, and the clients of a dozen clouds and of Git.
func leanAlloy() *lean {
	return &lean{
		list: "internal/component/all/all.go",
		edits: []edit{
			// The discoveries and integrations that only converters need.
			{"flowcmd/flowcmd.go", `_ "github.com/prometheus/prometheus/discovery/install"`, ``},
			{"flowcmd/flowcmd.go", `_ "github.com/grafana/alloy/internal/loki/promtail/discovery/consulagent"`, ``},
			{"flowcmd/flowcmd.go", `_ "github.com/grafana/alloy/internal/static/integrations/install"`, ``},
			// Its type has the library in it that asks clouds for the other Alloys.
			{"internal/service/cluster/discovery/peer_discovery.go", `godiscover "github.com/hashicorp/go-discover"`, ``},
			{"internal/service/cluster/discovery/peer_discovery.go", `type goDiscoverFactory func(opts ...godiscover.Option) (*godiscover.Discover, error)`, `type goDiscoverFactory any`},
			// Someone who adds a component to a configuration reads this.
			{
				"internal/component/registry.go",
				"cr, exists := Get(name)\n\tif !exists {\n\t\treturn Registration{}, fmt.Errorf(\"cannot find the definition of component name %q\", name)",
				"cr, exists := Get(name)\n\tif !exists {\n\t\treturn Registration{}, fmt.Errorf(\"cannot find the definition of component name %q: this Alloy was compiled lean, with the components of the lab's own configuration; `lab stack build --full` compiles all of Alloy\", name)",
			},
		},
		// What else a pipeline like this one is likely to have. Each takes seconds to compile.
		more: []string{
			"otelcol.auth.basic", "otelcol.auth.bearer", "otelcol.auth.headers",
			"otelcol.connector.servicegraph", "otelcol.connector.spanmetrics",
			"otelcol.exporter.debug", "otelcol.exporter.otlp", "otelcol.exporter.otlphttp", "otelcol.exporter.prometheus",
			"otelcol.processor.attributes", "otelcol.processor.batch", "otelcol.processor.tail_sampling",
			"otelcol.receiver.prometheus", "otelcol.storage.file",
			"local.file",
		},
	}
}

// named matches the head of a component in a configuration of Alloy, as
// `otelcol.receiver.otlp "apps" {`.
var named = regexp.MustCompile(`(?m)^[ \t]*([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+)[ \t]+(?:"[^"\n]*"[ \t]*)?\{`)

// imported matches the import of a module, whose label is the first word of the names of
// the components that the module declares.
var imported = regexp.MustCompile(`(?m)^[ \t]*import\.[a-z]+[ \t]+"([^"\n]*)"`)

// components returns the sorted names of all components that a lean program has at
// least: those that the configuration in files names, below config/alloy, and more. The
// components of modules that the configuration imports are its own, and do not count.
func (l *lean) components(files fs.FS) ([]string, error) {
	names := slices.Clone(l.more)
	own := []string{"import"} // a block of the language
	if files == nil || l.list == "" {
		return names, nil
	}
	err := fs.WalkDir(files, "config/alloy", func(file string, d fs.DirEntry, err error) error {
		if err != nil || path.Ext(file) != ".alloy" {
			return err
		}
		text, err := fs.ReadFile(files, file)
		for _, m := range imported.FindAllSubmatch(text, -1) {
			own = append(own, string(m[1]))
		}
		for _, m := range named.FindAllSubmatch(text, -1) {
			names = append(names, string(m[1]))
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("the components in config/alloy: %w", err)
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		first, _, _ := strings.Cut(name, ".")
		return slices.Contains(own, first)
	})
	slices.Sort(names)
	return slices.Compact(names), nil
}
