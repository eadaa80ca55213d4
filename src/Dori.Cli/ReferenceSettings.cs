using System.ComponentModel;
using Dori.Checkpoints;
using Spectre.Console.Cli;

namespace Dori.Cli;

/// <summary>A model that is expected not to hold the pictures: of verbs that judge.</summary>
internal class ReferenceSettings : StartsSettings
{
    private const string Base = "base";

    [CommandOption("--reference <MODEL>"), Description("A model expected not to hold the pictures, searched in the same way, controls too: "
        + "an earlier or a clean checkpoint, or `base` for MODEL without its --lora")]
    public string? Reference { get; init; }

    /// <param name="model">What `base` is the base of.</param>
    /// <returns>Null where none is asked for.</returns>
    public Checkpoint? OpenReference(string model) => Reference switch
    {
        null => null,
        Base when Directory.Exists(Base) || File.Exists(Base) =>
            throw new DoriException($"--reference {Base}: there is a model of this name here; write ./{Base} for it"),
        Base when Loras.Length == 0 =>
            throw new DoriException($"--reference {Base}: the model without its --lora is meant, and none is given; name a model"),
        Base => OpenOther(model),
        _ => OpenOther(Reference),
    };
}
