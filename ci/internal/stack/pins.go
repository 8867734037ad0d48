package stack

import (
	"bufio"
	"bytes"
	_ "embed" // for pins.json
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// spec says about a program what its pin does not say.
type spec struct {
	name string
	// module is the upstream Go module, and versionVar the string variable that
	// its -version prints. Both are empty for Grafana, which no module builds.
	module     string
	versionVar string
	// vPrefix says that the program prints its version with a leading v.
	vPrefix bool
	// inImage are the places where the program may be in the official image.
	inImage []string
	// homeInImage is Grafana's home in its image, with public/ and conf/.
	homeInImage string
	optional    bool
	// lean says what of the program need not be compiled; nil where all of it must be.
	lean *lean
}

// specs lists the programs in the order in which they are fetched and built.
func specs() []spec {
	return []spec{
		{
			name: "loki", module: "github.com/grafana/loki/v3",
			versionVar: "github.com/grafana/loki/v3/pkg/util/build.Version",
			inImage:    []string{"/usr/bin/loki"},
			lean:       leanStorage(),
		},
		{
			name: "tempo", module: "github.com/grafana/tempo",
			versionVar: "main.Version",
			inImage:    []string{"/tempo"},
			lean:       leanStorage(),
		},
		{
			name: "mimir", module: "github.com/grafana/mimir",
			versionVar: "github.com/grafana/mimir/pkg/util/version.Version",
			inImage:    []string{"/bin/mimir"},
			lean:       leanStorage(),
		},
		{
			name: "alloy", module: "github.com/grafana/alloy", vPrefix: true,
			versionVar: "github.com/grafana/alloy/internal/build.Version",
			inImage:    []string{"/bin/alloy"},
			lean:       leanAlloy(),
		},
		{
			name: "grafana", optional: true,
			inImage:     []string{"/usr/share/grafana/bin/grafana"},
			homeInImage: "/usr/share/grafana",
		},
	}
}

// Pin is the version of a program that ci/stack/NAME/go.mod pins.
type Pin struct {
	Name    string `json:"name"`
	Module  string `json:"module"`  // the upstream module
	Version string `json:"version"` // the module's version, perhaps a pseudo-version
	Release string `json:"release"` // what the program prints: "3.7.7", "v1.19.2"
	Package string `json:"package"` // what is compiled: an import path, or "." for our own main
	Dir     string `json:"-"`       // the directory of the go.mod; "" outside of a checkout
}

// builtIn has the pins for a program that runs outside of a checkout. A go.mod is the root
// of a module of its own, from which Go embeds nothing and which no module proxy hands out
// with this one. A test compares the two; `go test ./ci/internal/stack -update` writes the
// file anew.
//
//go:embed pins.json
var builtIn []byte

// pins returns the pin of each of the programs that has a module: of the checkout, or the
// one that is built in when root is "".
func pins(root string, specs []spec) (all map[string]Pin, err error) {
	all = map[string]Pin{}
	if root == "" {
		var stored []Pin
		if err := json.Unmarshal(builtIn, &stored); err != nil {
			return nil, fmt.Errorf("the built-in source pins: %w", err)
		}
		for _, pin := range stored {
			all[pin.Name] = pin
		}
		return all, nil
	}
	for _, sp := range specs {
		if sp.module == "" {
			continue
		}
		if all[sp.name], err = readPin(filepath.Join(root, "ci", "stack", sp.name), sp); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// pseudo matches a pseudo-version and captures its commit.
var pseudo = regexp.MustCompile(`[-.]\d{14}-([0-9a-f]{12})$`)

// release matches the comment that names a pseudo-version's release:
//
//	//lab:release 2.9.0 607c7fb69662
//
// A pseudo-version is a commit, and only a person knows which release that is.
// The commit is repeated so that a raised pin cannot keep the old name.
var release = regexp.MustCompile(`^//lab:release (\S+) ([0-9a-f]{12})$`)

// readPin reads the pin of sp from the go.mod in dir.
func readPin(dir string, sp spec) (Pin, error) {
	file := filepath.Join(dir, "go.mod")
	data, err := os.ReadFile(file)
	if err != nil {
		return Pin{}, fmt.Errorf("source pin of %s: %w", sp.name, err)
	}
	pin := Pin{Name: sp.name, Module: sp.module, Package: ".", Dir: dir}
	var named, commit string
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if m := release.FindStringSubmatch(line); m != nil {
			named, commit = m[1], m[2]
		}
		fields := strings.Fields(strings.TrimPrefix(line, "require "))
		switch {
		case len(fields) >= 2 && fields[0] == sp.module && strings.HasPrefix(fields[1], "v"):
			pin.Version = fields[1]
		case len(fields) == 2 && fields[0] == "tool" && within(fields[1], sp.module):
			pin.Package = fields[1]
		}
	}
	if err := lines.Err(); err != nil {
		return Pin{}, fmt.Errorf("%s: %w", file, err)
	}
	if pin.Version == "" {
		return Pin{}, fmt.Errorf("%s does not require %s", file, sp.module)
	}
	if pin.Release, err = releaseOf(pin.Version, named, commit); err != nil {
		return Pin{}, fmt.Errorf("%s: %w", file, err)
	}
	if sp.vPrefix {
		pin.Release = "v" + pin.Release
	}
	return pin, nil
}

// releaseOf is the release that a module version stands for, without a v.
func releaseOf(version, named, commit string) (string, error) {
	m := pseudo.FindStringSubmatch(version)
	switch {
	case m == nil && named == "":
		return strings.TrimPrefix(version, "v"), nil
	case m == nil:
		return "", fmt.Errorf("//lab:release is for pseudo-versions; %s names itself", version)
	case named == "":
		return "", fmt.Errorf("%s is a pseudo-version: say which release it is, as //lab:release RELEASE %s", version, m[1])
	case commit != m[1]:
		return "", fmt.Errorf("//lab:release %s is about commit %s, but the pin is %s", named, commit, m[1])
	case strings.HasPrefix(named, "v"):
		return "", errors.New("//lab:release takes the release without a leading v")
	}
	return named, nil
}

// within reports whether the import path pkg is in module.
func within(pkg, module string) bool {
	return pkg == module || strings.HasPrefix(pkg, module+"/")
}
