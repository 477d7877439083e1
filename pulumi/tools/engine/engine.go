//go:build tools

// Package engine names what is built, so that go.mod keeps it.
package engine

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
