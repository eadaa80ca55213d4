using Dori.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Checkpoints;

/// <summary>A base model on disk, in whichever form: it speaks of its weights by diffusers' names.</summary>
internal interface ICheckpointSource
{
    /// <summary>As given.</summary>
    string Path { get; }
    /// <summary>
    /// The folder that <c>dori.json</c>, the model card, <c>clip</c> and <c>copy_detector</c> lie in; null where there is none.
    /// </summary>
    string? Folder { get; }
    UNetConfig UNet { get; }
    VaeConfig Vae { get; }
    ClipTextConfig TextEncoder { get; }
    /// <summary>SDXL's second one; null where the model has none.</summary>
    ClipTextConfig? TextEncoder2 => null;
    /// <summary>Whether guidance moves away from zeros, and not from the empty prompt.</summary>
    bool ForcesZeros => false;
    SchedulerConfig Scheduler { get; }
    /// <summary>What a reader should know of how the files were read.</summary>
    ModelNotes Collected { get; }

    ClipTokenizer OpenTokenizer();
    WeightSet OpenUNet();
    WeightSet OpenVae();
    WeightSet OpenTextEncoder();
    /// <remarks>Only where there is a <see cref="TextEncoder2"/>.</remarks>
    ClipTokenizer OpenTokenizer2() => throw new InvalidOperationException("there is no second text encoder");
    /// <inheritdoc cref="OpenTokenizer2"/>
    WeightSet OpenTextEncoder2() => throw new InvalidOperationException("there is no second text encoder");

    /// <summary>SHA-256 of every file that decides what the model is, in lower-case hex.</summary>
    IReadOnlyList<(string File, string Sha256)> FileHashes();

    /// <summary>Writes the model as a diffusers folder with other weights.</summary>
    /// <param name="textWeight">Null: the text encoder stays as it is.</param>
    void Save(string target, Func<string, Tensor> unetWeight, Func<string, Tensor>? textWeight, string? modelCard, string? mitigation);
}
