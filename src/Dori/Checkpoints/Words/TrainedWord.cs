using static TorchSharp.torch;

namespace Dori.Checkpoints.Words;

/// <summary>A word of textual inversion: vectors that stand in a prompt for what no word of the vocabulary says.</summary>
/// <param name="Text">As it is written in prompts; capitals do not count.</param>
/// <param name="File">Path of the safetensors file that holds it.</param>
/// <param name="Keys">Its tensors there, (d) or (n, d) each, in the order of their places in a prompt.</param>
/// <param name="Count">Vectors in all: places that it takes in a prompt.</param>
/// <param name="Width">d</param>
internal sealed record TrainedWord(string Text, string File, IReadOnlyList<string> Keys, int Count, long Width)
{
    /// <returns>(n, d), float32</returns>
    public Tensor Read()
    {
        using var scope = NewDisposeScope();
        using SafetensorsFile file = SafetensorsFile.Open(File);
        return cat([.. Keys.Select(key => file.Read(key).to(ScalarType.Float32).reshape(-1, Width))], 0).MoveToOuterDisposeScope();
    }

    /// <summary>"my-toy" (3 vectors)</summary>
    public string Shown => $"\"{SafetensorsFile.Shown(Text)}\" ({(Count == 1 ? "1 vector" : $"{Count} vectors")})";
}
