using System.Text.Json;
using Dori.Diffusion;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Diffusion;

/// <summary>The built-in model end to end against diffusers: text, latents, sampling, decoding.</summary>
public class PipelineTests
{
    private static readonly string[] s_captions = Strings("captions"), s_pictures = Strings("pictures");

    [Fact]
    public void Text_and_picture_encoders_agree()
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> golden = GoldenFile.Read("emoji_pipeline");
        for (int i = 0; i < s_captions.Length; i++)
            Assert.InRange(Golden.RelativeError(Emoji.Model.Embed(s_captions[i]).Tokens[0], golden["text"][i]), 0, 1e-4);
        Tensor latents = Emoji.Model.Encode(Emoji.Load(s_pictures));
        Assert.InRange(Golden.RelativeError(latents, golden["latents"]), 0, 1e-4);
    }

    [Fact]
    public void Guided_sampling_and_decoding_agree()
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> golden = GoldenFile.Read("emoji_pipeline");
        DiffusionModel model = Emoji.Model;
        var options = new GenerationOptions { Guidance = 3, Scheduler = model.Scheduler, Steps = 20, Batch = 4 };
        Tensor noise = Golden.Rand("gen.z", 4, 4, 16, 16);
        for (int i = 0; i < 4; i++)
        {
            Conditioning y = model.Embed(s_captions[i]), yNull = model.Embed("");
            Tensor latents = Generation.Latents(model, y, yNull, noise.narrow(0, i, 1), options);
            Assert.InRange(Golden.RelativeError(latents[0], golden["generated_latents"][i]), 0, 1e-4);
            // the golden is the VAE's raw output
            Tensor picture = model.Decode(latents)[0], expected = (golden["generated"][i] / 2 + 0.5).clamp(0, 1);
            Assert.InRange(Golden.RelativeError(picture, expected), 0, 1e-4);
        }
    }

    [Fact]
    public void Without_guidance_the_unconditional_side_does_not_matter()
    {
        using var scope = NewDisposeScope();
        DiffusionModel model = Emoji.Model;
        var options = new GenerationOptions { Guidance = 1, Scheduler = model.Scheduler, Steps = 3, Batch = 1 };
        Tensor noise = Golden.Rand("gen.z", 1, 4, 16, 16);
        Conditioning y = model.Embed("t shirt");
        Tensor a = Generation.Latents(model, y, model.Embed(""), noise, options), b = Generation.Latents(model, y, y, noise, options);
        Assert.Equal(0, (a - b).abs().max().item<float>());
    }

    [Fact]
    public void A_generation_depends_on_its_own_number_only()
    {
        using var scope = NewDisposeScope();
        Tensor three = Generation.Noise(Emoji.Model, RandomSource.For("x"), 3),
            two = Generation.Noise(Emoji.Model, RandomSource.For("x"), 2);
        Assert.Equal(0, (three.narrow(0, 0, 2) - two).abs().max().item<float>());
        Assert.NotEqual(0, (three[0] - three[1]).abs().max().item<float>());
    }

    private static string[] Strings(string key) =>
        [.. GoldenConfigs.Json("emoji_pipeline").GetProperty(key).EnumerateArray().Select(e => e.GetString()!)];
}
