using System.Text.Json;
using Dori.Checkpoints;
using Dori.Models;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Models;

/// <summary>Every network against diffusers' and transformers' outputs on hash-filled weights.</summary>
public class GoldenNetworkTests
{
    private const double Bar = 1e-4;

    [Theory]
    [InlineData("unet_tiny_sd1")]
    [InlineData("unet_tiny_sd2")]
    [InlineData("unet_mini")]
    public void UNet_agrees_in_output_loss_and_gradient(string name)
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> expected = GoldenFile.Read(name + ".safetensors");
        (Tensor output, Tensor loss, Tensor gradY, Tensor? _) = RunUNet(name);
        Assert.InRange(Golden.RelativeError(output, expected["out"]), 0, Bar);
        Assert.InRange(Golden.RelativeError(loss.view(1), expected["loss"]), 0, Bar);
        Assert.InRange(Golden.RelativeError(gradY, expected["grad_y"]), 0, Bar);
    }

    [Theory]
    [InlineData("text_tiny_xl1", 1)]
    [InlineData("text_tiny_xl2", 1)]
    public void Text_tower_of_XL_agrees_in_its_state_before_the_last_and_its_projection(string name, int thinned)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Dictionary<string, Tensor> expected = GoldenFile.Read(name + ".safetensors");
        using var text = new ClipTextModel(GoldenConfigs.Text(name));
        Fill(text, name);
        (Tensor state, Tensor? projected) = text.Penultimate(expected["ids"]);
        TensorIndex tokens = TensorIndex.Slice(null, null, thinned == 1 ? 1 : 4), width = TensorIndex.Slice(null, null, thinned);
        Assert.InRange(Golden.RelativeError(state[TensorIndex.Colon, tokens, width], expected["penultimate"]), 0, Bar);
        Assert.Equal(expected.ContainsKey("text_embeds"), projected is not null);
        if (projected is not null) Assert.InRange(Golden.RelativeError(projected, expected["text_embeds"]), 0, Bar);
    }

    [Theory(Explicit = true)]
    [Trait("Category", "Slow")]
    [InlineData("text_xl2", 8)]
    public void Text_tower_of_XL_agrees_at_full_size(string name, int thinned) =>
        Text_tower_of_XL_agrees_in_its_state_before_the_last_and_its_projection(name, thinned);

    [Fact]
    public void UNet_of_XL_agrees_in_output_loss_and_both_gradients()
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> expected = GoldenFile.Read("unet_tiny_sdxl.safetensors");
        (Tensor output, Tensor loss, Tensor gradY, Tensor? gradPooled) = RunUNet("unet_tiny_sdxl");
        Assert.InRange(Golden.RelativeError(output, expected["out"]), 0, Bar);
        Assert.InRange(Golden.RelativeError(loss.view(1), expected["loss"]), 0, Bar);
        Assert.InRange(Golden.RelativeError(gradY, expected["grad_y"]), 0, Bar);
        Assert.InRange(Golden.RelativeError(gradPooled!, expected["grad_pooled"]), 0, Bar);
    }

    [Theory(Explicit = true)]
    [Trait("Category", "Slow")]
    [InlineData("unet_sd1")]
    [InlineData("unet_sd2")]
    public void UNet_agrees_at_full_size(string name)
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> expected = GoldenFile.Read(name + ".safetensors");
        (Tensor output, Tensor loss, Tensor gradY, Tensor? _) = RunUNet(name);
        TensorIndex every8 = TensorIndex.Slice(null, null, 8);
        Assert.InRange(Golden.RelativeError(output[TensorIndex.Colon, TensorIndex.Colon, every8, every8], expected["out"]), 0, Bar);
        Assert.InRange(Golden.RelativeError(stack([output.mean(), output.std(), output.abs().max()]), expected["out_stats"]), 0, Bar);
        Assert.InRange(Golden.RelativeError(loss.view(1), expected["loss"]), 0, Bar);
        Assert.InRange(Golden.RelativeError(gradY[TensorIndex.Single(0), every8, TensorIndex.Slice(null, null, 16)], expected["grad_y"]), 0,
            Bar);
        Assert.InRange(Golden.RelativeError(gradY.norm().view(1), expected["grad_norm"]), 0, Bar);
    }

    private static (Tensor Output, Tensor Loss, Tensor GradY, Tensor? GradPooled) RunUNet(string name)
    {
        JsonElement json = GoldenConfigs.Json(name);
        long n = json.GetProperty("batch").GetInt64(), size = json.GetProperty("size").GetInt64(),
            tokens = json.GetProperty("tokens").GetInt64();
        using var unet = new UNet2DConditionModel(GoldenConfigs.UNet(name));
        Fill(unet, name);
        Tensor x = Golden.Rand("x", n, 4, size, size), eps = Golden.Rand("eps", n, 4, size, size);
        Tensor y = Golden.Rand("y", 1, tokens, unet.Config.CrossAttentionDim).requires_grad_();
        Tensor t = tensor(json.GetProperty("timesteps").EnumerateArray().Select(e => e.GetInt64()).ToArray());
        (Tensor? pooled, Tensor? ids) = (null, null);
        if (json.TryGetProperty("pooled", out JsonElement width))
        {
            pooled = Golden.Rand("pooled", 1, width.GetInt64()).requires_grad_();
            ids = tensor(json.GetProperty("time_ids").EnumerateArray().Select(e => e.GetSingle()).ToArray()).reshape(1, -1);
        }
        Tensor output = unet.call(x, t, y, pooled, ids);
        Tensor loss = nn.functional.mse_loss(output, eps);
        IList<Tensor> gradients = autograd.grad([loss], pooled is null ? [y] : [y, pooled]);
        return (output.detach(), loss.detach(), gradients[0], pooled is null ? null : gradients[1]);
    }

    [Fact]
    public void An_embedding_shared_by_rows_gives_what_its_copies_give()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var unet = new UNet2DConditionModel(GoldenConfigs.UNet("unet_mini"));
        Fill(unet, "unet_mini");
        Tensor x = Golden.Rand("x", 4, 4, 16, 16), y = Golden.Rand("two", 2, 32, 128), t = tensor(new long[] { 17, 400, 801, 3 });
        Tensor shared = unet.call(x, t, y), copied = unet.call(x, t, y.repeat_interleave(2, 0));
        Assert.InRange(Golden.RelativeError(shared, copied), 0, 1e-6);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void In_bfloat16_the_network_agrees_to_that_precision(bool upcastAttention)
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> expected = GoldenFile.Read("unet_mini.safetensors");
        using var unet = new UNet2DConditionModel(GoldenConfigs.UNet("unet_mini") with { UpcastAttention = upcastAttention });
        Fill(unet, "unet_mini");
        unet.to(bfloat16);
        Tensor y = Golden.Rand("y", 1, 32, 128).requires_grad_();
        Tensor output = unet.call(Golden.Rand("x", 2, 4, 16, 16).to(bfloat16), tensor(new long[] { 17, 801 }), y.to(bfloat16));
        Assert.Equal(ScalarType.BFloat16, output.dtype);
        Assert.InRange(Golden.RelativeError(output.detach(), expected["out"]), 1e-6, 0.03); // 8 bits of mantissa: 0.4 % an operation
        Tensor loss = nn.functional.mse_loss(output.to(float32), Golden.Rand("eps", 2, 4, 16, 16));
        Assert.InRange(Golden.RelativeError(autograd.grad([loss], [y])[0], expected["grad_y"]), 1e-6, 0.1);
    }

    [Theory]
    [InlineData("vae_tiny", 1)]
    [InlineData("vae_sd1", 8)]
    public void Autoencoder_agrees(string name, int thinned)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Dictionary<string, Tensor> expected = GoldenFile.Read(name + ".safetensors");
        long size = GoldenConfigs.Json(name).GetProperty("size").GetInt64();
        using var vae = new AutoencoderKL(GoldenConfigs.Vae(name));
        Fill(vae, name);
        (Tensor mean, Tensor std) = vae.Encode(Golden.Rand("image", 1, 3, size, size).clamp(-1, 1));
        Assert.InRange(Golden.RelativeError(mean, expected["mean"]), 0, Bar);
        Assert.InRange(Golden.RelativeError(std, expected["std"]), 0, Bar);
        Tensor decoded = vae.Decode(Golden.Rand("z", 1, 4, size / 8, size / 8));
        TensorIndex every = TensorIndex.Slice(null, null, thinned);
        Assert.InRange(Golden.RelativeError(decoded[TensorIndex.Colon, TensorIndex.Colon, every, every], expected["decoded"]), 0, Bar);
    }

    [Theory]
    [InlineData("text_tiny_sd1", 1)]
    [InlineData("text_tiny_sd2", 1)]
    [InlineData("text_sd1", 8)]
    [InlineData("text_sd2", 8)]
    public void Text_tower_agrees(string name, int thinned)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Dictionary<string, Tensor> expected = GoldenFile.Read(name + ".safetensors");
        using var text = new ClipTextModel(GoldenConfigs.Text(name));
        Fill(text, name);
        Tensor hidden = text.call(expected["ids"]);
        TensorIndex tokens = TensorIndex.Slice(null, null, thinned == 1 ? 1 : 4), width = TensorIndex.Slice(null, null, thinned);
        Assert.InRange(Golden.RelativeError(hidden[TensorIndex.Colon, tokens, width], expected["hidden"]), 0, Bar);
        Assert.InRange(Golden.RelativeError(text.Pooled(hidden, expected["ids"]), expected["pooled"]), 0, Bar);
    }

    [Fact]
    public void Image_tower_agrees()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Dictionary<string, Tensor> expected = GoldenFile.Read("vision_tiny.safetensors");
        using var vision = new ClipVisionModel(GoldenConfigs.Vision("vision_tiny"));
        Fill(vision, "vision_tiny");
        Tensor pixels = Golden.Rand("pixels", 2, 3, 32, 32);
        Assert.InRange(Golden.RelativeError(vision.Hidden(pixels), expected["hidden"]), 0, Bar);
        Assert.InRange(Golden.RelativeError(vision.call(pixels), expected["embeds"]), 0, Bar);
    }

    /// <summary>Fills the weights by name, after comparing all names and shapes with the golden list.</summary>
    private static void Fill(nn.Module network, string name)
    {
        string prefix = GoldenConfigs.Json(name).GetProperty("prefix").GetString()!;
        using JsonDocument keys = JsonDocument.Parse(File.ReadAllText(Golden.PathOf(name + ".keys.json")));
        var expected = keys.RootElement.EnumerateObject()
            .ToDictionary(p => p.Name, p => string.Join(',', p.Value.EnumerateArray().Select(e => e.GetInt64())));
        var actual = network.named_parameters().ToDictionary(p => p.name, p => string.Join(',', p.parameter.shape));
        // one class of encoder has its keys below another level
        var stored = expected.Keys.ToDictionary(CheckpointKeys.TextEncoder);
        Assert.Equal(expected.Select(p => (CheckpointKeys.TextEncoder(p.Key), p.Value)).OrderBy(p => p.Item1, StringComparer.Ordinal),
            actual.Select(p => (p.Key, p.Value)).OrderBy(p => p.Key, StringComparer.Ordinal));
        using var _ = no_grad();
        foreach ((string key, TorchSharp.Modules.Parameter parameter) in network.named_parameters())
        {
            using Tensor value = Golden.Weight(prefix + stored[key], parameter.shape);
            parameter.copy_(value);
        }
    }
}
