using Dori.Checkpoints;
using Dori.Models;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>SDXL's second text encoder, which also gives the pooled vector, with a tokenizer of its own: it pads otherwise.</summary>
/// <param name="ForcesZeros">Guidance moves away from zeros, and not from the empty prompt.</param>
internal sealed record SecondTextEncoder(ClipTokenizer Tokenizer, ClipTextModel Network, bool ForcesZeros)
{
    /// <param name="first">The first encoder's tokenizer: states of both lie side by side.</param>
    /// <exception cref="DoriException">What it lacks or has wrong, by name.</exception>
    public static SecondTextEncoder Load(Checkpoint folder, ClipTokenizer first, Device device, ModelNotes notes)
    {
        ClipTextConfig config = folder.TextEncoder2!;
        ClipTokenizer tokenizer = folder.OpenTokenizer2();
        if (tokenizer.MaxLength != first.MaxLength || tokenizer.VocabularySize > config.VocabSize
            || tokenizer.MaxLength > config.MaxPositionEmbeddings)
            throw new DoriException(
                $"{folder.Path}: tokenizer_2 has {tokenizer.VocabularySize} tokens and length {tokenizer.MaxLength}, "
                + $"text_encoder_2 takes {config.VocabSize} and {config.MaxPositionEmbeddings}, and tokenizer has length "
                + $"{first.MaxLength}");
        using WeightSet weights = folder.OpenTextEncoder2();
        PlausibleSize.CheckText("text_encoder_2", weights, config);
        return new SecondTextEncoder(tokenizer, ModelParts.TextEncoder(config, weights, device, notes), folder.ForcesZeros);
    }
}
