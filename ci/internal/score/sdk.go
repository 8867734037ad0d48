package score

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/facts"
)

//go:generate go run ./generate -o sdk.json

// SDK is what the packages of one language's SDK say they support.
type SDK struct {
	// Language is telemetry.sdk.language.
	Language string `json:"language"`
	// Source says where the versions were read.
	Source string `json:"source"`
	// Supported are the runtime's versions by the SDK's version, such as 1.47.
	Supported map[string]string `json:"supported"`
}

//go:embed sdk.json
var sdkJSON []byte

var sdks = sync.OnceValue(func() map[string]SDK {
	var list []SDK
	if err := json.Unmarshal(sdkJSON, &list); err != nil {
		panic(err) // the file is built in, and a test reads it
	}
	all := map[string]SDK{}
	for _, s := range list {
		all[s.Language] = s
	}
	return all
})

func runtimeSupported(s facts.Service) verdict {
	if len(s.Resources) == 0 {
		return verdict{reason: noResource}
	}
	var evidence []string
	reason, judged := "", false
	for _, r := range s.Resources {
		old, why := unsupported(r.Attributes)
		switch {
		case why != "":
			reason = why
		case old != "" && len(evidence) < maxEvidence:
			evidence = append(evidence, old)
			judged = true
		default:
			judged = true
		}
	}
	if !judged {
		return verdict{reason: reason}
	}
	return verdict{evidence: evidence}
}

// unsupported says of a resource's runtime that its SDK does not support it, or why it
// cannot be told; two "" are a runtime that is supported.
func unsupported(attributes map[string]string) (old, why string) {
	language, version := attributes["telemetry.sdk.language"], attributes["telemetry.sdk.version"]
	runtime := attributes["process.runtime.version"]
	switch {
	case language == "" || version == "":
		return "", "the resource has no telemetry.sdk.language and telemetry.sdk.version"
	case runtime == "":
		return "", "the resource has no process.runtime.version"
	}
	sdk, ok := sdks()[language]
	if !ok {
		return "", fmt.Sprintf("the packages of the SDK for %.40q do not say in a form for programs which runtimes they support", language)
	}
	v, err := semver.NewVersion(version)
	if err != nil {
		return "", fmt.Sprintf("telemetry.sdk.version is no version: %.40q", version)
	}
	text, ok := sdk.Supported[fmt.Sprintf("%d.%d", v.Major(), v.Minor())]
	if !ok {
		return "", fmt.Sprintf("version %.40q of the SDK for %s is not known here", version, language)
	}
	at, err := semver.NewVersion(strings.TrimPrefix(strings.Fields(runtime + " ")[0], "go"))
	if err != nil {
		return "", fmt.Sprintf("process.runtime.version is no version: %.40q", runtime)
	}
	supported, err := semver.NewConstraint(text)
	if err != nil || supported.Check(at) {
		return "", ""
	}
	return fmt.Sprintf("the SDK for %s, version %s, supports %s, and the runtime is %s", language, version, text, runtime), ""
}
